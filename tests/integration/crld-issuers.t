# SPDX-License-Identifier: ISC
# The CAs that pappus-crld signs for: one more, one that is closed, one that the
# root revokes, the root's own list, and addresses that can't be.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(serial_of);
use Pappus::Crld;
use Pappus::Feed;
use Pappus::SubCA;
use Pappus::Test qw(slurp spew wait_until);

my $stack = Pappus::Test->start(workers => 1);
my $crld = Pappus::Crld->new($stack, 'a');
my $project = $stack->project;
my $token = $stack->enrollment_token($project);
my $first = Pappus::SubCA->first($stack);

sub sql { return $stack->psql('postgres', "@_") }
sub padded { return '0' x (40 - length $_[0]) . $_[0] }

sub command
{
	my ($program, @args) = @_;
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	my ($status, $out, $err) = Pappus::Test::run_command('',
	    "$ENV{PAPPUS_BUILDDIR}/$program", @args);
	is($status, 0, "$program $args[0]") or diag($out, $err);
	return $out;
}

sub openssl
{
	my ($input, @args) = @_;
	my ($status, $out, $err) =
	    Pappus::Test::run_command($input, 'openssl', @args);
	return $status == 0 ? $out : "failed: $err";
}

sub state_of
{
	my ($ca, $state) = @_;
	my $answer = $stack->admin('PATCH', '/issuers/' . $ca->id,
	    document => { state => $state });
	is($answer->{status}, 200, "it is $state") or diag($answer->{body});
}

# One more device of the project; its serial.
sub device
{
	my $device = $stack->device($token);
	$device->{serial} = serial_of(slurp($device->{certificate}));
	return $device;
}

sub revoke
{
	my ($serial) = @_;
	my $answer = $stack->admin('POST', "/certificates/$serial/revoke",
	    document => { reason_code => 1, reason => 'test' });
	is($answer->{status}, 200, 'revoked') or diag($answer->{body});
}

sub comes
{
	my ($name, $code, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until($seconds // 20, $code), $name) or diag($crld->tail);
}

# The issuers in the feed, as "purpose closed".
sub issuers
{
	return join ', ', map { "$_->{purpose} $_->{closed}" }
	    @{$crld->denied->{issuers}};
}

# The issuers of the CRLs in the one PEM file, and how many there are.
sub combined
{
	my $denied = $crld->denied;
	return '' if !$denied->{crls};
	my $text = slurp($crld->file("feed/$denied->{crls}"));
	return join ', ', map {
		openssl($_, 'crl', '-noout', '-issuer') =~ /CN = (.*)/ ? $1 : '?'
	} $text =~ /^(-----BEGIN X509 CRL-----\n.*?^-----END X509 CRL-----\n)/msg;
}

sub ski
{
	my ($file) = @_;
	my ($ski) = openssl(slurp($file), 'x509', '-noout', '-ext',
	    'subjectKeyIdentifier') =~ /^\s+([0-9A-F:]+)$/m;
	return lc($ski =~ s/://gr);
}

# Those that the stack was made with: in the feed, and in the PEM of all.
my $issuers = join ', ', map { "$_ 0" } split /\n/,
    sql('SELECT purpose FROM pappus.issuers ORDER BY issuer_id');
my $combined = join ', ', split /\n/, sql('SELECT name FROM pappus.issuers'
    . " WHERE purpose <> 'root' ORDER BY issuer_id");

$crld->start;
comes('it has begun', sub { $crld->denied && $crld->crl('device')
	&& combined() =~ /\Q$combined\E\z/ });

my $second;
subtest 'one more' => sub {
	$second = Pappus::SubCA->new($stack, 'Second');
	$second->give_key;
	my $sequence = $crld->denied->{sequence};
	$second->register;
	comes('is in the feed',
	    sub { issuers() eq "$issuers, device 0" });
	cmp_ok($crld->denied->{sequence}, '>', $sequence, 'as a change');
	comes('its certificate is published',
	    sub { -e $crld->file('ca/Second.cer') });
	comes('without its key there is an alarm',
	    sub { ($crld->alarm('keys') // 0) == 1 });
	ok(!-e $crld->file('crl/Second.crl'), 'and no CRL');
	$crld->give_key("$second->{dir}/ca.key");
	comes('with it there is one', sub { $crld->crl('Second') }, 90);
	comes('and no alarm', sub { ($crld->alarm('keys') // 1) == 0 });
	comes('in the PEM of all',
	    sub { combined() =~ /\Q$combined, Second\E\z/ });
	$stack->admin('PATCH', "/projects/$project",
	    document => { device_issuer_id => $second->id });
	my $device;
	comes('it issues', sub { $device = eval { device() } }, 30);
	revoke($device->{serial});
	comes('and its own CRL has what it revokes', sub {
		$crld->crl('Second')->{revoked}{$device->{serial}} });
	ok(!$crld->crl('device')->{revoked}{$device->{serial}}, 'no other');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'closed' => sub {
	my $device = device();
	my $number = $crld->crl('Second')->{number};
	state_of($second, 'crl-only');
	revoke($device->{serial});
	comes('crl-only: CRLs go on', sub {
		$crld->crl('Second')->{revoked}{$device->{serial}} });
	state_of($second, 'closed');
	my $end = openssl(slurp("$second->{dir}/ca.crt"), 'x509', '-noout',
	    '-enddate') =~ s/notAfter=|\n//gr;
	comes('the last one is good until the CA ends',
	    sub { $crld->crl('Second')->{next} eq $end });
	my $last = slurp($crld->file('crl/Second.crl'));
	comes('the feed says that it is closed', sub {
		issuers() eq "$issuers, device 1" });
	unlink $crld->keys_dir . '/ca-second-ca.key' or die $!;
	sleep 11;	# longer than between two looks
	is($crld->alarm('keys'), 0, 'its key is not needed any more');
	# Unknown: on every list that there will be yet.
	revoke('0102030405');
	comes('what comes now', sub {
		$crld->crl('device')->{revoked}{'0102030405'} });
	is($crld->stop, 0, 'it ends');
	$crld->start;
	comes('another life', sub { $crld->events('lists-read') == 2
		&& $crld->denied->{serials}{padded('0102030405')} });
	sleep 2;
	is(slurp($crld->file('crl/Second.crl')), $last,
	    'the last CRL stays the last');
	is($crld->alarm('keys'), 0, 'without an alarm');
	is($crld->alarm('crls'), 0, 'of any kind');
	is_deeply([$crld->faults], [], 'all verifies');
	is($crld->metric('crl_failing', issuer => $second->id), 0, 'metrics');
};

subtest 'the last CRL on another host' => sub {
	# It has no key and was not there; the entries have gone on since.
	my $other = Pappus::Crld->new($stack, 'other');
	$other->start;
	comes('is published there', sub { $other->crl('Second') });
	is(slurp($other->file('crl/Second.crl')),
	    slurp($crld->file('crl/Second.crl')), 'the same octets')
	    or diag($other->tail);
	is($other->stop, 0, 'it ends');
};

subtest 'addresses' => sub {
	my @bad = (
		[Shared => 'device.crl', 'Shared.cer', qr/another CA's file/],
		[Up => '../up.crl', 'Up.cer', qr/none that a file can be/],
		[Feed => '../feed/state', 'Feed.cer', qr/none that a file can be/]);
	my $device = slurp($crld->file('crl/device.crl'));
	for my $bad (@bad) {
		my ($name, $path, $cer, $why) = @$bad;
		my $ca = Pappus::SubCA->new($stack, $name);
		$crld->give_key("$ca->{dir}/ca.key");
		$ca->register;
		# pappus-ca takes it as it is: the database is told another.
		sql('UPDATE pappus.issuers SET crl_url ='
			. " '@{[$stack->setting('PUBLIC_URL')]}/crl/$path' WHERE"
			. ' issuer_id = ' . $ca->id);
		comes("$name: the log says so", sub { $crld->log =~
			/ event=address-refused msg="issuer @{[$ca->id]}: .*$why/ });
		comes("$name: an alarm", sub { ($crld->alarm('paths') // 0) == 1 });
		comes("$name: the feed has its CRL all the same", sub {
			$crld->denied->{crl}{ski("$ca->{dir}/ca.crt")} }, 60);
		comes("$name: its certificate is published",
		    sub { -e $crld->file("ca/$cer") });
	}
	ok(!-e $crld->file('up.crl') && !-e $crld->file('crl/../../up.crl'),
	    'nothing beside the folder');
	is_deeply([$crld->faults], [], 'all verifies');
	my $crl = $crld->crl('device');
	like($crl->{text}, qr/Issuer: .*CN=Pappus demo devices/,
	    'the CA that had the address keeps it');
};

subtest "the root's list" => sub {
	my $root = $stack->dir . '/root';
	my $list = $stack->tmp . '/root-1.crl';
	is(slurp($crld->file('crl/root.crl')),
	    slurp($stack->dir . '/public/crl/root.crl'), 'what the stack was given');
	command('pappus-ca', 'crl', '--dir', $root, '--out', $list);
	command('pappus', 'issuer', 'crl', $list);
	comes('is published', sub { -e $crld->file('crl/root.crl')
		&& slurp($crld->file('crl/root.crl')) eq slurp($list) });
	comes('as PEM, too', sub { -e $crld->file('crl/root.pem')
		&& openssl(slurp($crld->file('crl/root.pem')), 'crl', '-outform',
			'DER') eq slurp($list) });
	comes('in the PEM of all',
	    sub { combined() =~ /\APappus demo root, / });
	ok($crld->denied->{crl}{ski($stack->dir . '/ca/device/root.crt')},
	    'and the state names it');
	comes('for a year', sub { ($crld->metric('crl_seconds_left', issuer => 1)
		// 0) > 300 * 86400 });
};

subtest 'a sub-CA that is revoked' => sub {
	my $bad = Pappus::SubCA->new($stack, 'Bad');
	$crld->give_key("$bad->{dir}/ca.key");
	$bad->register;
	$bad->give_key;
	comes('it has a CRL', sub { $crld->crl('Bad') }, 60);
	comes('it is in the PEM of all', sub { combined() =~ /, Bad/ });
	my $root = $stack->dir . '/root';
	my $list = $stack->tmp . '/root-2.crl';
	my $before = issuers();
	my $ski = ski("$bad->{dir}/ca.crt");
	ok($crld->denied->{crl}{$ski}, 'and named by the state');
	command('pappus-ca', 'revoke-ca', '--dir', $root, '--cert',
	    "$bad->{dir}/ca.crt", '--reason', 'keyCompromise');
	command('pappus-ca', 'crl', '--dir', $root, '--out', $list);
	command('pappus', 'issuer', 'crl', $list);
	comes('it leaves the feed', sub { issuers() eq $before =~ s/, device 0\z//r })
	    or diag(issuers());
	comes('the PEM of all', sub { combined() !~ /Bad/ });
	comes('and the state', sub { !$crld->denied->{crl}{$ski} });
	comes("the root's list has it", sub {
		slurp($crld->file('crl/root.crl')) eq slurp($list) });
	my $number = $crld->crl('Bad')->{number};
	revoke('0102030406');
	comes('others go on', sub {
		$crld->crl('device')->{revoked}{'0102030406'} });
	is($crld->crl('Bad')->{number}, $number, 'it gets no further CRL');
	is($crld->alarm('crls'), 0, 'which is no alarm');
	ok(!defined $crld->metric('crl_number', issuer => $bad->id),
	    'nor in the metrics');
	is($crld->stop, 0, 'it ends');
	$crld->start;
	comes('another life', sub { $crld->events('lists-read') == 3 });
	comes('knows it, too', sub {
		$crld->denied->{time} > 1000 * (time - 5) });
	is(issuers(), $before =~ s/, device 0\z//r, 'the issuers');
	unlike(combined(), qr/Bad/, 'the PEM of all');
	is_deeply([$crld->faults], [], 'all verifies');
};

is($crld->stop, 0, 'it ends');
done_testing;
