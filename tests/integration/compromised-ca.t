# SPDX-License-Identifier: ISC
# A sub-CA whose key got out, by docs/operations.md: the root revokes it, the
# database is told, all sessions that came in by it fall, what the thief forged
# too; it issues nothing more, its projects move to another, and their devices
# come back with their device tokens.  And every list that pappus issuer crl must
# not take.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Pappus::Ceremony;
use Pappus::Check qw(is_problem);
use Pappus::DER qw(der_of_pem);
use Pappus::Mqtt;
use Pappus::SubCA;
use Pappus::Test qw(slurp spew wait_until);

# One worker: two would notice a new CA at two times.
my $stack = Pappus::Test->start(workers => 1);
my ($tmp, $dir) = ($stack->tmp, $stack->dir);
my $root = "$dir/root";
my $NOTICED = 10;	# seconds, at most (issuer_set.h), and some for the machine
my $PATIENCE = 15;	# for what takes a second, on a busy machine

sub sql { return $stack->psql('postgres', "@_") }

# (status, output, error output) of pappus as setup, or of pappus-ca.
sub command
{
	my ($program, @args) = @_;
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	return Pappus::Test::run_command('', "$ENV{PAPPUS_BUILDDIR}/$program",
	    @args);
}

sub does
{
	my ($name, @command) = @_;
	my ($status, $out, $err) = command(@command);
	is_deeply([$status, $err], [0, ''], $name) or diag($err);
	return $out;
}

# What the database says of CAs and of their lists from ceremonies.
sub state
{
	return sql(q{SELECT (SELECT json_agg(i ORDER BY issuer_id) FROM
	    pappus.issuers i), (SELECT json_agg(c ORDER BY issuer_id, number) FROM
	    pappus.crls c WHERE der IS NOT NULL), (SELECT max(change_id) FROM
	    pappus.changes WHERE kind = 'issuer'), (SELECT max(action_id) FROM
	    pappus.operator_actions)});
}

# A list that is not taken: nothing changes, and the error says why.
sub refused
{
	my ($name, $why, @args) = @_;
	my $before = state();
	my ($status, $out, $err) = command('pappus', 'issuer', 'crl', @args);
	isnt($status, 0, "$name: refused");
	like($err, qr/\Apappus: .*$why/, "$name: says why");
	unlike($out, qr/revoked/, "$name: and nothing else");
	is(state(), $before, "$name: changes nothing");
}

sub crl
{
	my ($file, $from) = @_;
	does("pappus-ca crl: $file", 'pappus-ca', 'crl', '--dir', $from // $root,
	    '--out', "$tmp/$file");
	return "$tmp/$file";
}

sub revoke
{
	my ($cert, $reason) = @_;
	does('pappus-ca revoke-ca', 'pappus-ca', 'revoke-ca', '--dir', $root,
	    '--cert', $cert, '--reason', $reason // 'cACompromise');
}

# Who issued the certificate in an answer.
sub issuer
{
	my ($answer) = @_;
	return $answer->{status} if $answer->{status} != 200;
	my (undef, $out) = Pappus::Test::run_command(
	    $answer->{json}{device_certificate_pem}, 'openssl', 'x509', '-noout',
	    '-issuer', '-nameopt', 'multiline,-align');
	return $out =~ /commonName = (.*)/ ? $1 : 'nobody';
}

# Lets a device ask again and keep what it gets, with the chain that it sends:
# the status.
sub renew
{
	my ($device) = @_;
	my $answer = $stack->identity($device->{token});
	return $answer->{status} if $answer->{status} != 200;
	spew($device->{certificate}, $answer->{json}{device_certificate_pem}
	    . $answer->{json}{ca_chain_pem});
	spew($device->{key}, $answer->{json}{device_private_key_pem});
	$device->{answer} = $answer;
	return 200;
}

sub shown
{
	my ($ca) = @_;
	return (grep { $_->{issuer_id} == $ca->id }
	    @{$stack->admin('GET', '/issuers')->{json}{items}})[0];
}

# The stack's own is the one that will be stolen; a project names it, another
# takes what is newest.
my $stolen = Pappus::SubCA->first($stack);
my $named = $stack->project('names its CA');
is($stack->admin('PATCH', "/projects/$named", document =>
	{ device_issuer_id => $stolen->id })->{status}, 200, 'a project names its CA');
my $free = $stack->project('takes the newest');
my @devices = map {
	my $token = $stack->enrollment_token($_);
	map { $stack->device($token) } 1 .. 2;
} $named, $free;
# Somebody of another CA, whom all this does not concern.
my $other = Pappus::SubCA->new($stack, 'Other');
$other->give_key;
$other->register;
my $elsewhere = $stack->project('elsewhere');
is($stack->admin('PATCH', "/projects/$elsewhere", document =>
	{ device_issuer_id => $other->id })->{status}, 200, 'another has another');
my $bystander = $stack->enroll($stack->enrollment_token($elsewhere))->{json};
$bystander = { id => $bystander->{device_id}, token => $bystander->{device_token},
	map { ($_ => "$tmp/bystander.$_") } qw(certificate key) };
ok(wait_until($NOTICED + 30, sub { renew($bystander) == 200 }), 'which issues');
my $next = Pappus::SubCA->new($stack, 'Next');
my $third = Pappus::SubCA->new($stack, 'Third');

# ----------------------------------------------- what is not taken as a list

my $first_list = crl('first.crl');
like(does('a first list', 'pappus', 'issuer', 'crl', $first_list),
    qr/\ACRL \d+ of Pappus demo root: 0 revoked, 0 of them registered, 0 new\n\z/,
    'names nobody');
my $as_it_was = state();
does('again', 'pappus', 'issuer', 'crl', $first_list);
is(state(), $as_it_was, 'which does no harm');

subtest 'what is not taken' => sub {
	refused('nothing', 'name one file');
	refused('two files', 'name one file', $first_list, $first_list);
	refused('no file', 'cannot open .*/nowhere', "$tmp/nowhere");
	spew("$tmp/empty", '');
	refused('an empty file', '/empty: there is no revocation list', "$tmp/empty");
	spew("$tmp/junk", "junk\n");
	refused('junk', '/junk: there is no revocation list', "$tmp/junk");
	refused('a certificate', '/root\.crt:1: not an X509 CRL', "$root/root.crt");
	my $der = slurp($first_list);
	spew("$tmp/cut.crl", substr $der, 0, -1);
	refused('cut short', '/cut\.crl: ', "$tmp/cut.crl");
	spew("$tmp/long.crl", "$der\0");
	refused('one octet more', '/long\.crl: ', "$tmp/long.crl");
	my $forged = $der;
	substr($forged, -3, 1) ^= "\1";
	spew("$tmp/forged.crl", $forged);
	refused('another signature', '/forged\.crl: .*signature', "$tmp/forged.crl");
	my $pem = slurp(crl('lists.pem'));
	spew("$tmp/no-end.pem", $pem =~ s/-----END.*//sr);
	refused('PEM without an end', '/no-end\.pem:1: .*no end', "$tmp/no-end.pem");
	spew("$tmp/two.pem", $pem x 2);
	refused('two lists', '/two\.pem holds 2 lists', "$tmp/two.pem");

	my $pki = Pappus::Ceremony->new;
	$pki->root('other');
	refused('of another root', '/other\.crl is of a CA that is not registered',
	    crl('other.crl', $pki->path('other')));
};

subtest 'a list out of its time' => sub {
	plan skip_all => 'faketime is not here (apt-get install faketime)'
	    if system('command -v faketime >/dev/null') != 0;
	for (['2020-01-01 00:00:00', 'past.crl', 'has ended, at 2021-01-01'],
	    ['2041-01-01 00:00:00', 'future.crl', 'not valid before 2040-12-31T23:59']) {
		my ($when, $file, $why) = @$_;
		my ($status, undef, $err) = Pappus::Test::run_command('', 'faketime',
		    $when, "$ENV{PAPPUS_BUILDDIR}/pappus-ca", 'crl', '--dir', $root,
		    '--out', "$tmp/$file");
		is($status, 0, "signed at $when") or diag($err);
		refused($file, $why, "$tmp/$file");
	}
};

# ------------------------------------------------------ the key has got out

# What the thief makes with it: for a device that exists, and for one that never
# was.  Neither is in any database.
sub forged
{
	my ($id) = @_;
	my $base = "$tmp/forged-$id";
	my $ca = "$dir/ca/device";
	spew("$base.ext", "basicConstraints=critical,CA:false\n"
	    . "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
	    . "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n");
	for ("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout"
		. " $base.key -out $base.csr -subj /CN=$id",
		"x509 -req -in $base.csr -CA $ca/ca.crt -CAkey $ca/ca.key -days 30"
		. " -extfile $base.ext -out $base.crt") {
		my ($status, undef, $err) = Pappus::Test::run_command('', 'openssl',
		    split / /);
		die $err if $status != 0;
	}
	spew("$base.crt", slurp("$base.crt") . slurp("$ca/ca.crt"));
	return { id => $id, certificate => "$base.crt", key => "$base.key" };
}

my $mqtt = Pappus::Mqtt->new($stack->setting('MQTT_PORT'), $stack->root_file);

sub enters
{
	my ($name, $who) = @_;
	return $mqtt->connect($name, id => "$who->{id}-$name", cert =>
		$who->{certificate}, key => $who->{key})->{code} // 'nothing';
}

my %session = (bystander => $bystander, (map { ("device$_" => $devices[$_]) }
	0 .. $#devices), alias => forged($devices[1]{id}),
	phantom => forged('dev_0' . '1' x 25));
is(enters($_, $session{$_}), 0, "$_ is connected") for sort keys %session;

is($stolen->name, issuer($stack->identity($stack->enroll(
	$stack->enrollment_token($named))->{json}{device_token})),
    'so far it issues');
my ($copy) = grep { slurp($_) eq slurp("$dir/ca/device/ca.crt") }
    glob("$root/issued/*.crt");
ok($copy, 'the root has a copy of its certificate') or BAIL_OUT('no copy');
revoke($copy);
# As PEM: that goes too.
my $list = crl('revoked.pem');
# The next one stands ready, its key at hand; it is registered now.
$next->give_key;
$next->register;

my $out = does('pappus issuer crl', 'pappus', 'issuer', 'crl', $list);
my $told = time;
my $id = $stolen->id;

subtest 'all that came in by it falls' => sub {
	for my $name (grep { $_ ne 'bystander' } sort keys %session) {
		my $closed = $mqtt->wait($name, qr/^closed/, $PATIENCE);
		ok($closed, sprintf '%s is out after %.2f s', $name,
		    $closed ? $closed->{time} - $told : -1);
	}
	isnt(enters("again-$_", $session{$_}), 0, "$_ does not come in again")
	    for qw(device0 alias phantom);
	$mqtt->subscribe('bystander', "devices/$bystander->{id}/echo");
	$mqtt->publish('bystander', "devices/$bystander->{id}/echo", 'still');
	ok($mqtt->wait('bystander', qr{^message devices/\S+/echo still$}, $PATIENCE),
	    'another CA\'s device notices nothing');
	ok(!$mqtt->wait('bystander', qr/^closed/, 0), 'nor later');
	is(enters('bystander-again', $bystander), 0, 'and comes in again');
};
like($out, qr/: 1 revoked, 1 of them registered, 1 new$/m, 'one is revoked');
like($out, qr/^revoked: issuer $id \(device\), \Q${\$stolen->name}\E$/m, 'namely it');

subtest 'the database knows' => sub {
	is(sql("SELECT revoked_at BETWEEN now() - interval '1 minute' AND now(), state"
		. " FROM pappus.issuers WHERE issuer_id = $id"), 't|crl-only', 'that');
	my $shown = shown($stolen);
	is($shown->{state}, 'crl-only', 'the API says so');
	like($shown->{revoked_at}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'and when');
	is(shown($next)->{revoked_at}, undef, 'of no other');
	is(sql("SELECT string_agg(action, ' ' ORDER BY action_id) FROM (SELECT * FROM"
		. " pappus.operator_actions ORDER BY action_id DESC LIMIT 2) a"),
	    'issuer.crl issuer.revoke', 'the log of operators has it');
	my ($der) = der_of_pem(slurp($list), 'X509 CRL');
	ok(wait_until($PATIENCE, sub { $stack->http('GET', '/crl/root.crl', to =>
		'public')->{body} eq $der }), 'its root\'s list is published');
	is(sql("SELECT DISTINCT status FROM audit.certificates WHERE issuer_id = $id"),
	    'issuer_revoked', 'auditors see it of its certificates');
};

subtest 'it issues nothing more' => sub {
	my $mine = "SELECT count(*) FROM pappus.certificates WHERE issuer_id = $id";
	my $before = sql($mine);
	is_problem('not for the project that names it',
	    $stack->identity($devices[0]{token}), 503, 'unavailable');
	ok(wait_until($NOTICED + 30, sub {
		issuer($stack->identity($devices[2]{token})) eq $next->name;
	}), 'others get the next one\'s');
	is_problem('there is no way back', $stack->admin('PATCH', "/issuers/$id",
		document => { state => 'issuing' }), 409, 'conflict');
	is($stack->admin('PATCH', "/projects/$free", document =>
		{ device_issuer_id => $id })->{status}, 400,
	    'and no project can be put on it');
	is(sql($mine), $before, 'nothing was recorded for it');
};

subtest 'its projects move, their devices come back' => sub {
	my @affected = map { $_->{project_id} } grep { ($_->{device_issuer_id} // 0)
	    == $id } @{$stack->admin('GET', '/projects?limit=1000')->{json}{items}};
	is_deeply(\@affected, [$named], 'which they are can be asked');
	is($stack->admin('PATCH', "/projects/$named", document =>
		{ device_issuer_id => $next->id })->{status}, 200, 'it moves');
	for my $device (@devices[0, 1, 3]) {
		ok(wait_until($NOTICED + 30, sub { renew($device) == 200 }),
		    'with its device token alone');
		my $answer = $device->{answer};
		is(issuer($answer), $next->name, 'a device has another certificate');
		is($answer->{json}{device_id}, $device->{id}, 'as itself');
		is($answer->{json}{ca_chain_pem}, $next->chain, 'and its chain');
		is($stack->http('GET', '/ca', headers =>
			["Authorization: Bearer $device->{token}"])->{json}{ca_chain_pem},
		    $next->chain, 'GET /ca says the same');
		is(enters('home', $device), 0, 'and the broker lets it in');
	}
	is(sql("SELECT count(*) FROM pappus.certificates c JOIN pappus.revocations r"
		. " USING (serial) WHERE c.issuer_id = $id AND r.reason = 4"),
	    scalar @devices, 'what they had is superseded besides');
};

# --------------------------------------------------------------- afterwards

subtest 'nothing takes it back' => sub {
	my $before = state();
	like(does('the same list again', 'pappus', 'issuer', 'crl', $list),
	    qr/1 of them registered, 0 new$/m, 'is nothing new');
	is(state(), $before, 'and changes nothing');
	refused('the earlier list', 'the list leaves out', $first_list);
	my ($entry) = glob("$root/revoked/*");
	rename $entry, "$tmp/entry" or die "$entry: $!";
	refused('a newer list without it',
	    '/short\.crl: the list leaves out [0-9a-f]{32}, which the last one named',
	    crl('short.crl'));
	rename "$tmp/entry", $entry or die "$entry: $!";
	my ($status, undef, $err) = command('pappus', 'issuer', 'register', '--dir',
	    "$dir/ca/device");
	isnt($status, 0, 'registering it again');
	like($err, qr/its root has revoked this CA/, 'is refused');
};

subtest 'one that is revoked before it is registered' => sub {
	revoke("$tmp/ca-third.crt", 'superseded');
	my $list = crl('third.crl');
	like(does('the list', 'pappus', 'issuer', 'crl', $list),
	    qr/: 2 revoked, 1 of them registered, 0 new$/m, 'names one more');
	my ($status, undef, $err) = command('pappus', 'issuer', 'register', '--dir',
	    "$tmp/ca-third");
	isnt($status, 0, 'it is not registered');
	like($err, qr/its root has revoked this CA/, 'for that reason');
	is(sql("SELECT count(*) FROM pappus.issuers WHERE name = 'Third'"), 0,
	    'at all');
};

subtest 'a server sub-CA likewise' => sub {
	my ($copy) = grep { slurp($_) eq slurp("$dir/ca/server/ca.crt") }
	    glob("$root/issued/*.crt");
	revoke($copy, 'cessationOfOperation');
	like(does('the list', 'pappus', 'issuer', 'crl', crl('server.crl')),
	    qr/: 3 revoked, 2 of them registered, 1 new\nrevoked: .*\nrevoked: issuer \d+ \(server\)/,
	    'is revoked');
};

done_testing;
