# SPDX-License-Identifier: ISC
# pappus-brokerd keeps mosquitto's crlfile while it is served every kind of bad
# CRL: all the time a good and a revoked device try to get in, and never is the
# one put out or the other let in.  Here mosquitto has no plugin.
use strict;
use warnings;
use Test::More;
use Pappus::Brokerd;
use Pappus::DER;
use Pappus::Test qw(slurp spew wait_until);

my $b = Pappus::Brokerd->new;
my $file = $b->crl_file;
my ($good, $bad, $later, @more) = $b->broker->devices(4);
my $number = 1000;
my @revoked = ($bad->{serial});

$b->crl($_, $number) for qw(root service);
$b->crl('device', $number, serials => \@revoked);
$b->publish;
$b->start;
ok($b->comes_to_crl('device', $number), 'the list is fetched');
ok(wait_until(10, sub { -s $file }), 'mosquitto\'s file is made');
is((stat $file)[2] & 0777, 0644, 'for all to read');
$b->start_broker;
my $watch = $b->watch([$good], [$bad]);

# The serials in the file as openssl reads it, list by list.
sub serials_in
{
	my ($pem) = @_;
	my @all;
	while ($pem =~ /(-----BEGIN X509 CRL-----\n.*?-----END X509 CRL-----\n)/gs) {
		my $text = Pappus::Ceremony->run($1, 'openssl', 'crl', '-noout',
			'-text');
		push @all, map { lc } $text =~ /Serial Number: (\w+)/g;
	}
	return sort @all;
}

subtest 'the file' => sub {
	my $pem = slurp($file);
	is(() = $pem =~ /^-----BEGIN X509 CRL-----$/mg, 3, 'has all lists');
	is_deeply([serials_in($pem)], [@revoked], 'with all that is revoked');
	my ($status, $out) = Pappus::Test::run_command($pem, 'openssl', 'crl',
		'-noout', '-verify', '-CAfile', $b->path('root/root.crt'));
	is($status, 0, 'as openssl takes it');
};

subtest 'one more is revoked' => sub {
	ok($b->gets_in($later), 'who got in before');
	push @revoked, $later->{serial};
	$b->crl('device', ++$number, serials => \@revoked);
	$b->publish;
	ok(wait_until(10, sub { !$b->gets_in($later) }), 'is refused soon');
	is_deeply([serials_in(slurp($file))], [sort @revoked],
	    'the file has both');
	is($b->metrics->{'reloads_total'}, 1, 'after one signal') if
	    wait_until(5, sub { $b->metrics->{'reloads_total'} });
};

# The lines of the state that name lists.
sub named
{
	return join '', slurp($b->path('feed') . '/state') =~ /^(crl .*\n)/mg;
}

# Waits until the file follows no more.
sub settle
{
	my ($pem, $since) = ('', time);
	while (time < $since + 4) {
		($pem, $since) = (slurp($file), time) if slurp($file) ne $pem;
		Time::HiRes::sleep(0.1);
	}
	return $pem;
}

# A list is served that must not be taken.
sub survives
{
	my ($name, $reason, $serve) = @_;
	subtest $name => sub {
		my ($was, $pem) = (named(), slurp($file));
		$b->news;
		$serve->();
		$b->publish;
		ok($b->says(qr/event=refused .*what="crl \w+" .*reason=$reason /, 30),
		    "is refused: $reason") or diag($b->news);
		$b->has_looked;
		my @lines = $b->news =~ /(event=refused .*)/g;
		is(@lines, 1, 'one line') or diag(join "\n", @lines);
		is(slurp($file), $pem, 'the last good file stays');
		is(named(), $was, 'the state names the last good lists');
		$b->host->fault;
		$b->crl('device', ++$number, serials => \@revoked);
		$b->publish;
		ok($b->comes_to_crl('device', $number, 60), 'a good one is taken');
		ok(wait_until(10, sub { slurp($file) ne $pem }), 'the file follows');
	};
}

# What was made of a good list's octets.
sub changed
{
	my ($change) = @_;
	my $der = slurp($b->lists->make('device', number => $number + 1));
	local $_ = $der;
	my $name = $b->path('crls/changed');
	spew($name, $change->());
	return $b->crl('device', ++$number, file => $name);
}

my $second = $b->broker->pki;
$second->root('foreign');
$second->sub_ca('foreign', 'foreign-device', purpose => 'device');
my %other = (signer => [map { $second->path("foreign-device/ca.$_") }
	qw(crt key)]);
my @lie = (signer => [$second->path('device/ca.crt'),
	$second->path('device/ca.key')]);

survives('an empty list', 'malformed', sub { changed(sub { '' }) });
survives('a list that is cut', 'malformed',
	sub { changed(sub { substr $_, 0, -1 }) });
survives('half a list', 'malformed',
	sub { changed(sub { substr $_, 0, length($_) / 2 }) });
survives('a list with something behind it', 'malformed',
	sub { changed(sub { "$_\0" }) });
survives('PEM, not DER', 'malformed', sub { changed(sub {
	Pappus::Ceremony->run($_, 'openssl', 'crl', '-inform', 'DER') }) });
survives('a certificate', 'malformed', sub { changed(sub {
	$b->broker->pki->der('device/ca.crt') }) });
survives('a page', 'malformed', sub { changed(sub { "<html>It works!\n" }) });
survives('a signature with a wrong octet', 'signature', sub { changed(sub {
	substr($_, -1) = chr(ord(substr $_, -1) ^ 1); $_ }) });
survives('an entry that was taken out', 'signature', sub {
	# A revocation's serial made another's.
	my $der = slurp($b->lists->make('device', number => $number + 1,
		serials => \@revoked));
	my $serial = pack 'H*', $bad->{serial};
	my $at = index $der, $serial;
	substr($der, $at + 15, 1) = chr(ord(substr $der, $at + 15, 1) ^ 1);
	spew($b->path('crls/forged'), $der);
	$b->crl('device', ++$number, file => $b->path('crls/forged')) });
survives('another CA\'s list under our CA\'s name', 'foreign', sub {
	$b->crl('device', ++$number, file => $b->lists->make('service',
		number => $number, url => $b->lists->url('device'))) });
survives('a list of a CA from elsewhere', 'foreign', sub {
	$b->crl('device', ++$number, file => $b->lists->make('device',
		number => $number, %other)) });
survives('a CA that is not on the deny-list', 'foreign', sub {
	my $file = $b->lists->make('device', number => 1, %other);
	$b->crl('foreign', 1, file => $file, as => 'foreign-device/ca.crt') });
$b->no_crl('foreign');
survives('a smaller number', 'number', sub {
	$b->crl('device', $number - 5, serials => []) });
survives('another list under the same number', 'mismatch', sub {
	$b->crl('device', $number, serials => [], this => time - 90) });
survives('a number that is not the state\'s', 'mismatch', sub {
	my $file = $b->lists->make('device', number => $number - 5);
	$b->crl('device', ++$number, file => $file) });
survives('an IDP of another address', 'idp', sub {
	$b->crl('device', ++$number, url => $b->lists->url('other')) });
survives('an expired list', 'expired', sub {
	$b->crl('device', ++$number, this => time - 86400, next => time - 1) });
survives('a list from the future', 'not-yet-valid', sub {
	$b->crl('device', ++$number, this => time + 3600) });
survives("a file: $_->[0]", $_->[1], sub {
	my $now = $b->crl('device', ++$number, serials => \@revoked);
	$b->host->fault('^/' . Digest::SHA::sha256_hex(slurp($now)) => $_->[0]) })
    for ['empty', 'malformed'], ['junk', 'digest'], ['half', 'digest'],
	['append', 'digest'], ['status 404', 'http'], ['status 500', 'http'],
	['redirect ' . $b->host->url . 'state', 'http'],
	['cut', 'unreachable'], ['stall', 'unreachable'],
	['large 600000000', 'too-large'];

subtest 'a list from the future is held back' => sub {
	my $pem = slurp($file);
	$b->crl('device', ++$number, serials => \@revoked, this => time + 6,
		next => time + 90000);
	$b->publish;
	ok($b->is_soon(1, qr/crl-held-back: .*not valid before/, 5),
	    'and an alarm') or diag($b->health);
	is($b->metrics->{'alarm{alarm="crl-held-back"}'}, 1, 'in metrics too');
	is(slurp($file), $pem, 'meanwhile the old one stays');
	ok($b->comes_to_crl('device', $number), 'it is installed in its time');
	ok($b->is_soon(0, qr/fine/), 'then all is fine') or diag($b->health);
};

subtest 'a list that soon expires' => sub {
	$b->crl('device', ++$number, serials => \@revoked, next => time + 3600);
	$b->publish;
	ok($b->is_soon(1, qr/crl-expires: .*is good until/), 'is an alarm');
	$b->crl('device', ++$number, serials => \@revoked);
	$b->publish;
	ok($b->is_soon(0, qr/fine/), 'until there is a better one');
};

subtest 'a state without lists' => sub {
	my $pem = settle();
	my %crls = %{$b->{crls}};
	$b->no_crl($_) for qw(root device service);
	my $sequence = $b->publish;
	ok($b->comes_to($sequence), 'is taken');
	$b->has_looked;
	is(slurp($file), $pem, 'the lists stay');
	is($b->number('device'), $number, 'in the state as well');
	$b->{crls} = \%crls;
	$b->publish;
};

subtest 'somebody touches the file' => sub {
	my $pem = settle();
	# What mosquitto reads at that very moment nobody can help.
	$b->watched_well($watch, 'until now nobody was let in or put out');
	for (['empties it', sub { truncate $file, 0 }],
	    ['cuts it', sub { truncate $file, 100 }],
	    ['removes it', sub { unlink $file }],
	    ['writes into it', sub { open my $out, '>', $file; print $out 'x' }],
	    ['puts another there', sub { spew("$file.x", 'x');
		    rename "$file.x", $file }]) {
		$b->news;
		$_->[1]();
		ok(wait_until(10, sub { -e $file && slurp($file) eq $pem }),
		    "$_->[0]: it is put right");
		ok($b->says(qr/event=crl-file-touched/), 'the log says so');
	}
};

subtest 'restarted, it tells the broker nothing new' => sub {
	settle(); # the last touch may be due yet
	my $told = () = $b->broker->log =~ /Reloading config/g;
	cmp_ok($told, '>', 10, 'it has told it often');
	$b->restart;
	ok($b->says(qr/event=restored/), 'it has the last good files');
	$b->has_looked;
	is(() = $b->broker->log =~ /Reloading config/g, $told, 'not now');
};

subtest 'a CA that is revoked' => sub {
	# Its list goes, so that mosquitto refuses all of its devices.
	$b->feed->drop_issuer($b->path('device/ca.crt'));
	$b->no_crl('device');
	$b->publish;
	ok(wait_until(10, sub { !$b->gets_in($good) }), 'all its devices fall');
	is($b->number('device'), 0, 'the state has no list of it');
	is(() = slurp($file) =~ /^-----BEGIN/mg, 2, 'nor has the file');
	# All of them: an empty file would let everyone in.
	$b->feed->drop_issuer($b->path($_)) for 'service/ca.crt', 'root/root.crt';
	$b->no_crl($_) for qw(root service);
	$b->publish;
	ok($b->is_soon(1, qr/crl-file: there is no valid CRL/), 'no list is left');
	is(() = slurp($file) =~ /^-----BEGIN/mg, 2, 'the file stays');
	ok(!$b->gets_in($good), 'and refuses them');
};

done_testing;
