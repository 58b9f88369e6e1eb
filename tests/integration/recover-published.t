# SPDX-License-Identifier: ISC
# pappus recover from what was published: a database of yesterday is restored,
# and CRLs, deny-list and the root's list bring back all that was revoked and
# denied since, with reason and date.  And every file that it must not take.
use strict;
use warnings;
use File::Copy qw(copy);
use Test::More;
use Time::HiRes qw(time);
use Pappus::Check qw(is_problem serial_of);
use Pappus::Feed;
use Pappus::SubCA;
use Pappus::Test qw(slurp spew wait_until);

my $stack = Pappus::Test->start;
my ($tmp, $dir) = ($stack->tmp, $stack->dir);
my $source = $INC{'Pappus/Test.pm'} =~ s{tests/lib/Pappus/Test\.pm\z}{}r;
my $project = $stack->project;
my $token = $stack->enrollment_token($project);

sub sql { return $stack->psql('postgres', "@_") }

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
	is($status, 0, $name) or diag($err);
	return wantarray ? ($out, $err) : $out;
}

# As the cluster's superuser, by socket.
sub postgres
{
	my ($program, @args) = @_;
	my ($status, $out, $err) = Pappus::Test::run_command('', $program, '-h',
	    $stack->run . '/pg', '-U', 'postgres', @args);
	die "$program: $err" if $status != 0;
	return $out;
}

# The database as it was in the dump.
sub restore
{
	my @programs = qw(enroll identity admin);
	$stack->stack('stop', $_) for @programs;
	postgres('dropdb', '--force', 'pappus');
	postgres('createdb', '-T', 'template0', '-E', 'UTF8', '--locale=C.UTF-8',
	    'pappus');
	postgres('pg_restore', '--exit-on-error', '-d', 'pappus', "$tmp/dump");
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run
	    . '/pg user=postgres dbname=pappus';
	my ($status, undef, $err) = Pappus::Test::run_command('',
	    "$ENV{PAPPUS_BUILDDIR}/pappus", 'migrate', '--sql-dir', $source . 'sql');
	die $err if $status != 0;
}

# All that says who is shut out; and all there is.
sub truth
{
	return [split /\n/, sql(q{
	    SELECT 'serial', encode(serial, 'hex'), reason,
		extract(epoch FROM date_trunc('second', revoked_at))::bigint
	    FROM pappus.revocations ORDER BY 2;
	    SELECT device_id FROM (SELECT device_id FROM pappus.devices
		WHERE state <> 'active' UNION
		SELECT device_id FROM pappus.unknown_devices) d ORDER BY 1;
	    SELECT 'issuer', issuer_id, state, revoked_at IS NOT NULL
	    FROM pappus.issuers ORDER BY 2})];
}

sub whole
{
	return sql(join ' UNION ALL ', map { "SELECT '$_', md5(string_agg(t::text, ''"
		. " ORDER BY t::text)) FROM pappus.$_ t" }
	    qw(devices certificates revocations unknown_devices issuers crls
	    operator_actions changes));
}

sub refused
{
	my ($name, $why, @args) = @_;
	my $before = whole();
	my ($status, undef, $err) = command('pappus', 'recover', @args);
	isnt($status, 0, "$name: refused");
	like($err, qr/^pappus: .*$why/m, "$name: says why");
	is(whole(), $before, "$name: changes nothing");
}

sub act
{
	my ($path, %more) = @_;
	my $answer = $stack->admin('POST', $path, document => { reason => 'test',
		%more });
	is($answer->{status}, 200, $path) or diag($answer->{body});
}

# --------------------------------------------- what is, and what comes after

my $first = Pappus::SubCA->first($stack);
my $stolen = Pappus::SubCA->new($stack, 'Stolen');
$stolen->give_key;
$stolen->register;
$stack->stack('restart', 'identity');
my @device = map { $stack->device($token) } 0 .. 5;	# of the newest
is($stack->admin('PATCH', "/projects/$project", document =>
	{ device_issuer_id => $first->id })->{status}, 200, 'the project moves');
push @device, map { $stack->device($token) } 6 .. 9;	# of the first
my %serial = map { $_->{id} => serial_of(slurp($_->{certificate})) } @device;
postgres('pg_dump', '-Fc', '-f', "$tmp/dump", 'pappus');

# Denied, revoked, one certificate revoked, another on hold, one superseded;
# and some that the dump doesn't know at all.
my ($later_denied, $later_revoked, $later_good) =
    map { $stack->device($token) } 1 .. 3;
$serial{$_->{id}} = serial_of(slurp($_->{certificate}))
    for $later_denied, $later_revoked, $later_good;
act("/devices/$_->{id}/deny") for $device[0], $device[6], $later_denied;
act("/devices/$_->{id}/revoke", reason_code => 1)
    for $device[1], $device[7], $later_revoked;
act("/certificates/$serial{$device[8]{id}}/revoke", reason_code => 5);
act("/certificates/$serial{$device[2]{id}}/revoke", reason_code => 6);
is($stack->identity($device[9]{token})->{status}, 200, 'one asks again');
# Denied and let in again: no list has it.
act("/devices/$device[3]{id}/$_") for qw(deny allow);
# Never seen by anybody: on the lists of all CAs.
my $nobodys = '02' . 'cd' x 15;
act("/certificates/$nobodys/revoke", reason_code => 0);
my ($copy) = grep { slurp($_) eq slurp("$tmp/ca-stolen/ca.crt") }
    glob("$dir/root/issued/*.crt");
does('pappus-ca revoke-ca', 'pappus-ca', 'revoke-ca', '--dir', "$dir/root",
    '--cert', $copy, '--reason', 'keyCompromise');
does('pappus-ca crl', 'pappus-ca', 'crl', '--dir', "$dir/root", '--out',
    "$tmp/root.crl");
does('pappus issuer crl', 'pappus', 'issuer', 'crl', "$tmp/root.crl");
my $truth = truth();
cmp_ok(@$truth, '>=', 20, 'there is something to be recovered');
my $first_serials = sql("SELECT encode(serial, 'hex') FROM pappus.revocations"
    . ' WHERE issuer_id = ' . $first->id);

# What pappus-crld may publish of it: its lists name their own and nobody's, and
# the deny-list is newer: the last revocation is on no CRL yet.
my $number = int(time * 1000);
my %ca = ($first->id => "$dir/ca/device", $stolen->id => "$tmp/ca-stolen");
my $late = $serial{$later_revoked->{id}};
sub entries
{
	my ($issuer) = @_;
	return map { [split /\|/] } split /\n/, sql("SELECT encode(serial, 'hex'),"
	    . " reason, extract(epoch FROM date_trunc('second', revoked_at))::bigint"
	    . " FROM pappus.revocations WHERE coalesce(issuer_id, $issuer) = $issuer"
	    . " AND serial <> decode('$late', 'hex')");
}
my @crl;
for my $id (sort keys %ca) {
	push @crl, [$number + $id, Pappus::Feed::make_crl($ca{$id}, $number + $id,
		"$tmp/ca-$id.crl", entries($id)), "$ca{$id}/ca.crt"];
}
my $feed = Pappus::Feed->new("$tmp/feed");
# A revoked CA is on no list of CAs.
$feed->issuer('root', 'http://x.example/root.crl', "$dir/root/root.crt");
$feed->issuer('device', 'http://x.example/device.crl', "$ca{$first->id}/ca.crt");
$feed->issuer('server', 'http://x.example/server.crl', "$dir/ca/server/ca.crt");
sub set
{
	my ($to, $sign, $query) = @_;
	$feed->$to(map { $sign . (/^dev_/ ? 'device' : 'serial'), $_ }
		split /\n/, sql($query));
}
my $shut_out = 'SELECT device_id FROM pappus.devices WHERE state <> $$active$$';
my $serials = 'SELECT encode(serial, $$hex$$) FROM pappus.revocations';
set('base', '', "$_ OFFSET 1") for "$shut_out ORDER BY 1", "$serials ORDER BY 1";
set('delta', '+', "$_ LIMIT 1") for "$shut_out ORDER BY 1", "$serials ORDER BY 1";
# The base of before the device was allowed.
$feed->base(device => $device[3]{id}, serial => $serial{$device[3]{id}});
$feed->delta('-device' => $device[3]{id}, '-serial' => $serial{$device[3]{id}});
my (undef, $root_pem) = Pappus::Test::run_command('', 'openssl', 'crl', '-inform',
    'DER', '-in', "$tmp/root.crl");
my $pems = join '', map { (Pappus::Test::run_command('', 'openssl', 'crl',
	'-inform', 'DER', '-in', $_->[1]))[1] } @crl;
spew("$tmp/all.pem", $pems . $root_pem);
$feed->crls((map { (crl => $_) } @crl), crls => "$tmp/all.pem");
$feed->write;

# ------------------------------------------------ what pappus-crld published

my $PATIENCE = 60;	# seconds, on a busy machine
my $public = $stack->run . '/public/feed';

# A list of serials of 40 digits and of ids: all that the truth shuts out.
sub shut_out
{
	my ($truth) = @_;
	return join ' ', sort map { /^serial\|(\w+)/ ? substr '0' x 40 . $1, -40
	    : /^dev_/ ? $_ : () } @$truth;
}

sub published
{
	my $list = eval { Pappus::Feed::read($public) } // return '';
	return join ' ', sort map { keys %{$list->{$_}} } qw(devices serials);
}

# The number of the first CA's CRL that is published, and its entries.
my (undef, $ski) = split /\|/, sql('SELECT 1, encode(ski, $$hex$$) FROM'
    . ' pappus.issuers WHERE issuer_id = ' . $first->id);
sub published_crl
{
	my $crl = Pappus::Feed::state($public)->{crl}{$ski} // return (0, '');
	my ($status, $text) = Pappus::Test::run_command('', 'openssl', 'crl',
	    '-inform', 'DER', '-noout', '-text', '-in', "$public/$crl->[1]");
	return ($crl->[0], $status == 0 ? lc $text : '');
}

my $last_serial = $serial{$later_revoked->{id}};
ok(wait_until($PATIENCE, sub { published() eq shut_out($truth) }),
    'all of it is on the deny-list that is published');
ok(wait_until($PATIENCE, sub { (published_crl())[1] =~ /$last_serial/ }),
    'and on the CRL');
mkdir "$tmp/published" or die;
copy($_, "$tmp/published") or die "copy: $!" for glob("$public/*");
my ($old_number) = published_crl();
my $old_sequence = Pappus::Feed::state($public)->{sequence};

restore();
$stack->stack('restart', 'crld');

subtest 'from what pappus-crld had published' => sub {
	ok(wait_until($PATIENCE, sub {
		$stack->log('crld') =~ /event=database-behind/ }),
	    'it notices that the database is older');
	is(published(), shut_out($truth), 'and takes nobody off its list');
	my $out = does('recover', 'pappus', 'recover', '--feed', "$tmp/published");
	my $now = truth();
	is(shut_out($now), shut_out($truth), 'all are shut out again');
	# A CA that is revoked has no list any more, which would say why.
	my $of_first = sub {
		my ($truth) = @_;
		my %first = map { $_ => 1 } split /\n/, $first_serials;
		return [grep { /^(?:serial\|(\w+)|(issuer))/ && ($2 || $first{$1}) }
			@$truth];
	};
	is_deeply($of_first->($now), $of_first->($truth),
	    'with reason and date, and the CAs as they were') or diag($out);
	ok(wait_until($PATIENCE, sub {
		$stack->log('crld') =~ /event=database-complete/ }),
	    'pappus-crld goes on');
	ok(wait_until($PATIENCE, sub {
		my ($number, $text) = published_crl();
		$number > $old_number && $text =~ /$last_serial/;
	}), 'its next CRL has a greater number, and all of it');
	cmp_ok(Pappus::Feed::state($public)->{sequence}, '>=', $old_sequence,
	    'the deny-list\'s sequence has not gone back');
	is(published(), shut_out($truth), 'nor has the list');
};

# From here on with lists of this test's own, wrong ones too.
$stack->stack('stop', 'crld');

# ----------------------------------------------------------------- the loss

restore();
my $lost = truth();
isnt("@$lost", "@$truth", 'the old database knows nothing of it');

subtest 'what is not taken' => sub {
	my ($crl) = map { $_->[1] } @crl;
	my $der = slurp($crl);
	spew("$tmp/cut.crl", substr $der, 0, -1);
	refused('a CRL that is cut', '/cut\.crl: ', '--crls', "$tmp/cut.crl");
	spew("$tmp/none", '');
	refused('an empty one', '/none: ', '--crls', "$tmp/none");
	my $forged = $der;
	substr($forged, -3, 1) ^= "\1";
	spew("$tmp/forged.crl", $forged);
	refused('a forged one', '/forged\.crl: .*signature', '--crls',
	    "$tmp/forged.crl");
	spew("$tmp/forged.pem", $pems
	    =~ s{(.)(.{8,}\n-----END X509 CRL-----\n)\z}{($1 eq 'A' ? 'B' : 'A') . $2}er);
	isnt(slurp("$tmp/forged.pem"), $pems, 'one of many, changed');
	refused('one of many', '/forged\.pem:\d+: ', '--crls', "$tmp/forged.pem");
	Pappus::Feed::make_crl($ca{$first->id}, $number, "$tmp/url.crl",
	    'url http://elsewhere.example/x.crl');
	refused('one of another address', '/url\.crl: ', '--crls', "$tmp/url.crl");
	refused('one good, one bad', '/url\.crl: ', '--crls', $crl, "$tmp/url.crl");

	my $state = Pappus::Feed::state("$tmp/feed");
	refused('a folder that is no feed', 'cannot open .*/state', '--feed', $tmp);
	refused('a base alone', '--deny-list needs a base and its delta',
	    '--deny-list', "$tmp/feed/$state->{base}");
	refused('delta and base confused', 'the delta stands on|the base is a delta',
	    '--deny-list', map { "$tmp/feed/$state->{$_}" } qw(delta base));
	refused('no deny-list', 'no deny-list', '--deny-list', $crl, $crl);
	my $bad = "$tmp/bad";
	mkdir $bad or die;
	my $spoil = sub {
		my ($name, $which, $why, $how) = @_;
		copy($_, $bad) or die "copy: $!" for glob("$tmp/feed/*");
		my $file = $which eq 'state' ? 'state' : $state->{$which}
		    // $state->{crl}{$which}[1];
		my $bytes = slurp("$bad/$file");
		$how->($bytes);
		spew("$bad/$file", $bytes);
		refused($name, $why, '--feed', $bad);
		unlink glob("$bad/*");
	};
	$spoil->('a state that is cut', 'state', 'line 9 of the feed',
	    sub { $_[0] =~ s/end\n// });
	$spoil->('an empty state', 'state', '/state: line 1 ', sub { $_[0] = '' });
	$spoil->("$_ of another digest", $_, 'has another digest',
	    sub { substr($_[0], 40, 1) ^= "\1" }) for qw(base delta crls),
	    keys %{$state->{crl}};
	$spoil->("$_ that is cut", $_, 'has another digest',
	    sub { $_[0] = substr $_[0], 0, -1 }) for qw(base delta);
	my $base = slurp("$tmp/feed/$state->{base}");
	substr($base, 12, 52) = substr($base, 38, 26) . substr($base, 12, 26);
	spew("$tmp/unsorted", $base);
	refused('a base that is not in order', 'not sorted', '--deny-list',
	    "$tmp/unsorted", "$tmp/feed/$state->{delta}");
	refused('usage', 'comes before x', 'x');
	refused('unknown option', 'unknown option --crl;', '--crl', $crl);
	refused('no file', 'cannot read .*/nowhere', '--crls', "$tmp/nowhere");
};

subtest 'a CA that is not registered' => sub {
	my $other = Pappus::SubCA->new($stack, 'Other');
	Pappus::Feed::make_crl("$tmp/ca-other", 5, "$tmp/other.crl",
	    ['0102', 1, 1700000000]);
	refused('its CRL', 'the issuer [0-9a-f]{40} is not registered', '--crls',
	    "$tmp/other.crl");
	my (undef, $out) = command('pappus', 'recover', '--crls', "$tmp/other.crl");
	like($out, qr/^CRLs: 0 merged, 0 older or twice, 1 of unknown issuers$/m,
	    'it is counted');
};

# ------------------------------------------------------------------ recovery

my ($out, $err) = does('everything is merged', 'pappus', 'recover', '--feed',
    "$tmp/feed");
is($err, "pappus: issuer ${\$stolen->id} is not on the deny-list's list of CAs:"
    . " was it revoked? Then import its root's CRL\n", 'it notices the CA')
    if $err ne '';
like($out, qr/^CRLs: 3 merged, 2 older or twice, 0 of unknown issuers$/m,
    'three lists, two of them twice');
my ($last) = grep { /^serial\|$late\|/ } @$truth;
my @same = grep { !/^serial\|$late\|/ } @$truth;
my $now = truth();
is_deeply([grep { !/^serial\|$late\|/ } @$now], \@same,
    'all is as it was: serials, reasons, dates, devices, CAs') or diag($out);
like((grep { /^serial\|$late\|/ } @$now)[0] // '', qr/^serial\|$late\|0\|/,
    'what was on no CRL is revoked too, for no reason');

my $before = whole();
my ($again) = does('and again', 'pappus', 'recover', '--feed', "$tmp/feed");
like($again, qr/^denials: 0 devices and 0 serials new, \d+ known$/m,
    'nothing is new');
is(whole(), $before, 'and changes nothing');
like((does('lists by name', 'pappus', 'recover', '--crls', "$tmp/all.pem",
	map { $_->[1] } @crl))[0], qr/^CRLs: 3 merged, 2 older/m, 'are the same');
is(whole(), $before, 'and change nothing');

subtest 'whose they are' => sub {
	my $issuer = sub { sql("SELECT coalesce(issuer_id, 0), not_after IS NOT NULL"
		. " FROM pappus.revocations WHERE serial = decode('$_[0]', 'hex')") };
	is($issuer->($serial{$device[7]{id}}), $first->id . '|t', 'known');
	is($issuer->($serial{$later_denied->{id}}), $first->id . '|f',
	    'of who listed it');
	is($issuer->($nobodys), '0|f', 'what two list is nobody\'s');
};

subtest 'an older list' => sub {
	# What was released since must stay so.
	my $old = Pappus::Feed::make_crl($ca{$first->id}, $number - 10, "$tmp/old.crl",
	    [$serial{$later_good->{id}}, 6, int time], entries($first->id));
	my ($out) = does('beside the newer one', 'pappus', 'recover', '--crls', $old,
	    map { $_->[1] } @crl);
	like($out, qr/^CRLs: 2 merged, 1 older/m, 'is left out');
	sql("INSERT INTO pappus.crls (issuer_id, number, this_update, next_update,"
	    . " sha256, sequence, expired_before, entries, signature) VALUES"
	    . " (${\$first->id}, $number, now(), now() + interval '1 day',"
	    . " sha256('x'), 1, now(), 0, 'x')");
	($out, my $err) = does('after one that the database knows', 'pappus',
	    'recover', '--crls', $old);
	like($out, qr/^CRLs: 0 merged, 1 older/m, 'is left out');
	like($err, qr{/old\.crl: the database knows a later list of issuer \d+},
	    'which is said');
	is(sql("SELECT count(*) FROM pappus.revocations WHERE serial ="
		. " decode('$serial{$later_good->{id}}', 'hex')"), 0,
	    'and nothing was put on hold by it');
	sql('DELETE FROM pappus.crls WHERE issuer_id = ' . $first->id);
	Pappus::Feed::make_crl($ca{$first->id}, int(time * 1000) + 10**9,
	    "$tmp/ahead.crl");
	(undef, $err) = does('one whose number is ahead', 'pappus', 'recover',
	    '--crls', "$tmp/ahead.crl");
	like($err, qr/ahead of this host's clock/, 'is said too');
};

# ----------------------------------------------------------------- life again

subtest 'and then' => sub {
	$stack->stack('start', $_) for qw(enroll identity admin);
	is_problem('a denied device', $stack->identity($device[6]{token}), 403,
	    'device-denied');
	act("/devices/$device[6]{id}/allow");
	is(sql("SELECT count(*) FROM pappus.revocations WHERE serial ="
		. " decode('$serial{$device[6]{id}}', 'hex')"), 0,
	    'allowed: the hold that the list told of is released');
	is($stack->identity($device[6]{token})->{status}, 200, 'and it comes in');
	my $shown = $stack->admin('GET', "/devices/$later_denied->{id}");
	is(sql("SELECT state FROM pappus.unknown_devices WHERE device_id ="
		. " '$later_denied->{id}'"), 'denied', 'one that nobody knows is denied');
	is_problem('nothing comes of the stolen CA', $stack->admin('PATCH',
		"/issuers/${\$stolen->id}", document => { state => 'issuing' }), 409,
	    'conflict');
};

# ---------------------------------------------------------------------- size

subtest 'large lists' => sub {
	my $count = $ENV{PAPPUS_LONG} ? 1_000_000 : 12_000;
	Pappus::Feed::make_crl($ca{$first->id}, int(time * 1000), "$tmp/large.pem",
	    "generate $count");
	my $feed = Pappus::Feed->new("$tmp/large");
	$feed->base(generate => $ENV{PAPPUS_LONG} ? 100_000 : 2_500);
	$feed->write;
	my ($program) = "$ENV{PAPPUS_BUILDDIR}/pappus";
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	my $size = sub {
		my ($status, undef, $err) = Pappus::Test::run_command('', 'sh', '-c',
		    'exec /usr/bin/env time -f "%M KB %e s" "$@" >"$0"', "$tmp/out",
		    $program, 'recover', @_);
		is($status, 0, "recover $_[0]") or diag($err);
		return $err =~ /(\d+) KB/ ? $1 : 0;
	};
	my $kb = $size->('--crls', "$tmp/large.pem");
	like(slurp("$tmp/out"), qr/^denials: 0 devices and $count serials new/m,
	    "$count on a CRL");
	cmp_ok($kb, '<', 64 * 1024, "in $kb KB") if $kb;
	$size->('--feed', "$tmp/large");
	like(slurp("$tmp/out"), qr/^denials: (\d+) devices and \1 serials new/m,
	    'those of a deny-list');
};

done_testing;
