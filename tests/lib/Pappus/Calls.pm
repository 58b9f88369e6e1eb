# SPDX-License-Identifier: ISC
# The text of calls of the database's functions, for tests with several
# sessions.  Ids are numbers; "dN" is the secret of device N, "eN" that of
# enrolment token N, "a" the owner's.
package Pappus::Calls;
use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(id quoted_id digest enroll issue admin setup);

my $serial = 0;

sub id { return sprintf '%s_%026d', @_ }
sub quoted_id { return "'" . id(@_) . "'" }
sub digest { return "sha256('$_[0]')" }
sub array { return 'ARRAY[' . join(',', @_) . ']' }

sub fill {
	my ($value, $n) = @_;
	return "array_fill($value, ARRAY[$n])";
}

# enroll({token => N, deadline => SQL}, [device, external_id]…): outcomes and
# ids.
sub enroll {
	my ($option, @request) = @_;
	my $n = @request;
	return 'SELECT n, outcome, device_id FROM pappus.enroll(' . join(', ',
	    fill(quoted_id('etk', $option->{token}) . '::text', $n),
	    fill(digest("e$option->{token}"), $n),
	    array(map { quoted_id('dev', $_->[0]) } @request),
	    array(map { digest("d$_->[0]") } @request),
	    fill('NULL::text', $n),
	    array(map { defined $_->[1] ? "'$_->[1]'" : 'NULL' } @request)
	    . '::text[]', fill('NULL::inet', $n), fill('NULL::uuid', $n),
	    fill('(' . ($option->{deadline} // 'NULL') . ')::timestamptz', $n))
	    . ');';
}

# issue({deadline => SQL, serials => [hex…]}, device…): outcomes.  Serials are
# given out in order, from 1.
sub issue {
	my ($option, @device) = @_;
	my $n = @device;
	return 'SELECT n, outcome FROM pappus.issue(' . join(', ',
	    array(map { quoted_id('dev', $_) } @device),
	    array(map { digest("d$_") } @device),
	    array(map { "'\\x$_'" } @{ $option->{serials}
		// [map { sprintf '01%030x', ++$serial } @device] })
	    . '::bytea[]', fill(digest('key'), $n), fill('NULL::inet', $n),
	    fill('NULL::uuid', $n),
	    fill('(' . ($option->{deadline} // 'NULL') . ')::timestamptz', $n),
	    'ARRAY[1, 2]') . ');';
}

# admin(name, argument…): the outcome; arguments from the fifth on, as SQL.
sub admin {
	my ($name, @argument) = @_;
	return "SELECT outcome FROM pappus.admin_$name("
	    . join(', ', quoted_id('atk', 1), digest('a'), 'NULL', 'NULL',
	    @argument) . ');';
}

# setup(project's members as JSON): a root, a device issuer, the owner's token,
# project 1 and its enrolment token 1.
sub setup {
	my ($members) = @_;
	my $project = admin('project_create', quoted_id('proj', 1), "'$members'");
	my $token = admin('enrollment_token_regenerate', quoted_id('proj', 1),
	    quoted_id('etk', 1), digest('e1'), 'NULL');
	my $owner = quoted_id('atk', 1);
	return <<"END";
SELECT pappus.setup_issuer_register('root', NULL, 'Root',
	convert_to(repeat('r', 99), 'UTF8'), '\\x01', 0, 4000000000, 'u', 'u',
	NULL, NULL);
SELECT pappus.setup_issuer_register('device', 1, 'Devices',
	convert_to(repeat('d', 99), 'UTF8'), '\\x02', 0, 4000000000, 'u', 'u',
	NULL, sha256('profile'));
SELECT pappus.setup_admin_token_create($owner, ${\digest('a')}, 'owner', 'Owner');
$project
$token
END
}

1;
