#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# The questions of docs/audit.md: each query is run as it stands there, as an
# auditor, over a database where something has happened, and must give the
# answer that is known here.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Pappus::Cluster;
use Test::More;

my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
if (!$cluster->psql(
    "SELECT 1 FROM pg_available_extensions WHERE name = 'pgtap'")) {
	plan skip_all => 'no pgtap: apt-get install postgresql-15-pgtap';
}
$cluster->migrate;
my $page = Pappus::Cluster::slurp("$FindBin::Bin/../../docs/audit.md");

# In the answers below: d1 is a device, e1 an enrolment token, p1 a project, a1
# an admin token, s1 a serial; {…} is an SQL expression.
my @ANSWER = (
	'what was issued by project' => <<'END',
First|device|4|3
Second|device|1|1
|server|1|0
END
	'to whom' => <<'END',
{now()}|d1|First|first|s1|192.0.2.7
{now()}|d1|First|first|s2|192.0.2.7
{now()}|d2|First|first|s3|192.0.2.7
{now()}|d3|Second|old|s4|192.0.2.7
{now()}|broker||server|s5|
{now()}|d4|First|first|s6|192.0.2.7
END
	'a device\'s' => <<'END',
s3|hold|{now()}|{not_after}|first|certificateHold|a1
END
	'whose' => <<'END',
valid|device|d1||First|first|{date_trunc('second', now() - interval '1 hour')}|{not_after}
END
	'whose key' => <<'END',
s2|valid|d1
END
	'more than once' => <<'END',
d1|First|2|{now()}
END
	'more than one valid' => '',
	'never asked' => <<'END',
d5|First||{now() - interval '40 days'}
END
	'revoked' => <<'END',
s1|d1|First|superseded|reissue|d1||{now()}
s3|d2|First|certificateHold|deny|The owner|stolen|{now()}
s6|d4|First|keyCompromise|revoke|An operator|key found|{now()}
\x0199|||cessationOfOperation|operator|The owner|from the old list|{now()}
END
	'revoked, by reason' => <<'END',
First|certificateHold|deny|1
First|keyCompromise|revoke|1
First|superseded|reissue|1
|cessationOfOperation|operator|1
END
	'shut out' => <<'END',
d2|First|denied|{now()}|The owner|stolen
d4|First|revoked|{now()}|An operator|key found
d77||denied|{now()}|The owner|from the old list
END
	'revoked, unknown' => <<'END',
\x0199||cessationOfOperation|from the old list
END
	'tokens' => <<'END',
e1|First|active|{now() + interval '1 year'}||||4
e2|Second|active|{now() + interval '1 year'}||||1
e3|Second|active|{now() + interval '1 year'}||||0
e4|Second|active|{now() + interval '1 year'}|1|1|{192.0.2.0/24}|1
END
	'never used' => <<'END',
e3|Second|{now()}|{now() + interval '1 year'}
END
	'what a token was used for' => <<'END',
d1|SN-1|active|{now()}|192.0.2.7|2
d2||denied|{now()}|192.0.2.7|1
d4||revoked|{now()}|192.0.2.7|1
d5||active|{now() - interval '40 days'}|192.0.2.7|1
END
	'who made it' => <<'END',
{now()}|enrollment_token.regenerate|The owner|192.0.2.1|e1
END
	'CAs' => <<'END',
1|root|issuing|root|{t.end('root')}|{t.days(t.end('root'))}|{t.days(t.end('root') - interval '35 years')}
2|device|issuing|first|{t.end('first')}|{t.days(t.end('first'))}|{t.days(t.end('first') - interval '30 years' + interval '1 hour')}
3|server|issuing|server|{t.end('server')}|{t.days(t.end('server'))}|{t.days(t.end('server') - interval '1 year')}
4|device|crl-only|old|{t.end('old')}|{t.days(t.end('old'))}|{t.days(t.end('old') - interval '30 years' + interval '1 hour')}
5|server|crl-only|leaked|{t.end('leaked')}|{t.days(t.end('leaked'))}|{t.days(t.end('leaked') - interval '1 year')}
END
	'good of one that has stopped' => <<'END',
old|crl-only|1|{not_after}
END
	'... one by one' => <<'END',
s4|d3|Second|old|{not_after}
END
	'CAs that are revoked' => <<'END',
5|leaked|{now()}|1
END
	'the last CRLs' => <<'END',
old|2|1970-01-01 00:00:00+00|1970-01-01 00:16:40+00|2|f
root|7|1970-01-01 00:00:00+00|1970-01-01 00:16:40+00||f
END
	'done to a device' => <<'END',
{now()}|device.deny|The owner|192.0.2.1|stolen|active|denied
END
	'who did how much' => <<'END',
An operator|device.revoke|1
The owner|certificate.revoke|1
The owner|device.deny|2
The owner|enrollment_token.regenerate|4
The owner|issuer.update|1
The owner|project.create|2
setup|admin_token.create|4
setup|certificate.record|1
setup|issuer.crl|1
setup|issuer.register|5
setup|issuer.revoke|1
END
	'who may act' => <<'END',
a1|The owner|owner||{now()}|
a2|An operator|operator||{now()}|
a3|An auditor|auditor||{now()}|
a4|Bound to the second project|owner|p2|{now()}|
END
);

my $session = $cluster->session;
$session->value(<<"END");
\\i '$FindBin::Bin/../sql/fixture.psql'
\\i '$FindBin::Bin/../sql/audit.psql'
SELECT t.id('dev', 2) AS device, t.id('etk', 1) AS token,
	t.serial(2) AS serial, t.d('key2') AS key \\gset
CREATE FUNCTION t.end(issuer text) RETURNS timestamptz LANGUAGE sql AS
'SELECT not_after FROM pappus.issuers WHERE name = issuer';
CREATE FUNCTION t.days(at timestamptz) RETURNS int LANGUAGE sql AS
'SELECT floor(extract(epoch FROM at - now()) / 86400)';
END
my $thirty = q{(date_trunc('second', now() - interval '1 hour')}
    . q{ AT TIME ZONE 'UTC' + interval '30 years') AT TIME ZONE 'UTC'};

sub answer {
	my ($text) = @_;
	my %prefix = (d => 'dev', e => 'etk', p => 'proj', a => 'atk');
	$text =~ s/\{not_after\}/{$thirty}/g;
	# An array is no expression.
	$text =~ s/\{([^{}]*[()][^{}]*)\}/$session->value("SELECT $1")/ge;
	$text =~ s/(?<![^|\n])([depa])(\d+)(?![^|\n])/sprintf '%s_%026d',
	    $prefix{$1}, $2/ge;
	$text =~ s/(?<![^|\n])s(\d+)(?![^|\n])/sprintf '\x01%030x', $1/ge;
	chomp $text;
	return $text;
}

my @query = $page =~ /^```sql\n(.*?)^```$/msg;
is(@query, @ANSWER / 2, 'as many questions as answers');
while (my ($name, $text) = splice @ANSWER, 0, 2) {
	my $query = shift @query // last;
	my $want = answer($text);
	$session->value('SET ROLE pappus_auditor');
	my ($output, $errors) = $session->run($query);
	is("$errors$output", $want, $name) or diag $query;
	$session->value('RESET ROLE');
}

# Each view that there is has its line on the page.
for my $view (split /\n/, $session->value("SELECT relname FROM pg_class"
    . " WHERE relnamespace = 'audit'::regnamespace ORDER BY 1")) {
	like($page, qr/^\|.*`audit\.$view`.*\|$/m, "audit.$view is explained");
}

done_testing();
