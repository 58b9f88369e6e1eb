# SPDX-License-Identifier: ISC
# The plugin's options, what it is made of, and both configurations that are
# shipped.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Broker;
use Pappus::Test qw(slurp spew wait_until);

my $broker = Pappus::Broker->new;
my ($one, $two) = $broker->devices(2);
my $feed = $broker->feed;
$feed->write;
my $plugin = "$ENV{PAPPUS_BUILDDIR}/pappus_mosquitto.so";

subtest 'the shared object' => sub {
	my @seen = `nm -D --defined-only '$plugin'` =~ / (\w+)$/mg;
	my @api = map { "mosquitto_plugin_$_" } qw(cleanup init version);
	is_deeply([sort @seen], \@api, 'shows the plugin API and nothing else');
	my $dynamic = `readelf -dW '$plugin'`;
	my @needed = sort $dynamic =~ /NEEDED.*\[(\S+?)\.so/g;
	is_deeply(\@needed, [qw(libc libcrypto)], 'needs libc and libcrypto')
	    if !Pappus::Broker::sanitizer();
	like($dynamic, qr/BIND_NOW|FLAGS.*NOW/, 'all symbols bound at start');
	like(`readelf -lW '$plugin'`, qr/GNU_RELRO/, 'RELRO');
};

# Does not start, and says why; FROM is taken for TO in the configuration.
sub no_start
{
	my ($what, $from, $to, $why) = @_;
	$broker->news if -e $broker->path('log');
	my $good = eval { $broker->start(edit => sub { s/$from/$to/ or die }) };
	ok(!$good, "$what: mosquitto doesn't start");
	$broker->stop('KILL');
	like($broker->news, $why, '… and why');
}

no_start('no folder', qr/^plugin_opt_feed_dir.*\n/m, '',
	qr/pappus: plugin_opt_feed_dir is to be the absolute path/);
no_start('a relative one', qr/^plugin_opt_feed_dir \K.*/m, 'feed',
	qr/pappus: plugin_opt_feed_dir is to be the absolute path/);
no_start("max_age $_", qr/^plugin_opt_max_age \K.*/m, $_,
	qr/pappus: plugin_opt_max_age is to be a number of seconds/)
    for '0', '-1', 'week', '7d', '99999999999999999999', '9223372036854775807';
no_start('an option that there is not', qr/^plugin_opt_max_age/m,
	'plugin_opt_maxage', qr/pappus: there is no option plugin_opt_maxage/);
no_start('per_listener_settings', qr/^per_listener_settings false/m,
	'per_listener_settings true', qr/per_listener_settings must be set before/);
no_start('no plugin', qr/pappus_mosquitto\.so/, 'pappus_gone.so',
	qr/Unable to load auth plugin/);

subtest 'per_listener_settings, where mosquitto takes it' => sub {
	$broker->start(edit => sub {
		s/^per_listener_settings false\n//m or die;
		s/^listener /per_listener_settings true\nlistener /m or die });
	my $mqtt = $broker->mqtt;
	is($mqtt->connect('a', $broker->as($one))->{code}, 5, 'nobody comes in');
	ok($broker->says(qr/mosquitto doesn't tick; is per_listener_settings true/),
	    'and why');
	$broker->stop;
};

subtest 'the plugin\'s line taken out' => sub {
	$broker->start(edit => sub { s/^plugin.*\n//mg });
	my $mqtt = $broker->mqtt;
	is($mqtt->connect('a', $broker->as($one))->{code}, 5, 'nobody comes in');
	$broker->stop;
};

subtest 'certificates optional' => sub {
	$broker->start(edit => sub {
		s/^require_certificate true/require_certificate false/m or die });
	my $mqtt = $broker->mqtt;
	$broker->news;
	is($mqtt->connect('a', id => $one->{id}, user => $one->{id})->{code}, 5,
	    'who shows none doesn\'t come in');
	ok($broker->says(qr/no client certificate/), 'and why');
	# "This function will only ever return a non-NULL value if
	# require_certificate is true", says mosquitto.
	is($mqtt->connect('b', $broker->as($one))->{code}, 5,
	    'nor does anyone else');
	$broker->signal('HUP');
	ok($broker->says(qr/Reloading config/), 'reloaded');
	is($mqtt->connect('c', id => $one->{id}, user => $one->{id})->{code}, 5,
	    'nor after SIGHUP');
	$broker->stop;
};

subtest 'a listener without TLS beside it' => sub {
	my $port = Pappus::Test::free_port();
	$broker->start(more => ["listener $port 127.0.0.1"]);
	my ($status, $out, $err) = Pappus::Test::run_command('', 'mosquitto_pub',
	    '-h', '127.0.0.1', '-p', $port, '-i', $one->{id}, '-u', $one->{id},
	    '-t', 'x', '-m', 'x');
	is($status >> 8, 5, 'lets nobody in') or diag("$out$err");
	$broker->signal('HUP');
	ok($broker->says(qr/Reloading config/), 'reloaded');
	($status) = Pappus::Test::run_command('', 'mosquitto_pub',
	    '-h', '127.0.0.1', '-p', $port, '-i', $one->{id}, '-u', $one->{id},
	    '-t', 'x', '-m', 'x');
	is($status >> 8, 5, 'nor after SIGHUP');
	$broker->stop;
};

subtest 'as a daemon' => sub {
	# The thread that follows is started after the last fork.
	$broker->start(edit => sub {
		$_ .= "log_dest file " . $broker->path('daemon.log') . "\n"
		    . 'pid_file ' . $broker->path('daemon.pid') . "\n" },
	    daemon => 1);
	my $mqtt = $broker->mqtt;
	is($mqtt->connect('a', $broker->as($one))->{code}, 0, 'a device comes in');
	$feed->delta('+device' => $one->{id});
	$feed->write;
	ok($mqtt->wait('a', qr/^closed/, 5), 'is denied, and out');
	$feed->clear_delta;
	$feed->write;
	$broker->stop;
};

subtest 'with a crlfile' => sub {
	my $pki = $broker->pki;
	my $crls = sub {
		my @lists = @_;
		spew($broker->path('crls.new'), join '', @lists);
		rename $broker->path('crls.new'), $broker->path('crls.pem');
	};
	my @empty = map { crl($_) } qw(device service root);
	$crls->(@empty);
	$broker->start(config => 'mosquitto-crlfile');
	my $mqtt = $broker->mqtt;
	like(slurp($broker->path('mosquitto.pid')), qr/^$broker->{pid}\s*$/,
	    'the pid file names it');
	is($mqtt->connect($_->{id}, $broker->as($_))->{code}, 0, 'a device is in')
	    for $one, $two;
	# Revoked by the CRL alone: mosquitto refuses, the plugin has no part.
	$crls->(crl('device', $one->{serial}), @empty[1, 2]);
	$broker->news;
	$broker->signal('HUP');
	ok($broker->says(qr/Reloading config/), 'reloaded');
	ok(wait_until(10, sub { defined $mqtt->connect('one.' . rand,
		$broker->as($one))->{failed} }), 'revoked: no handshake');
	unlike($broker->news, qr/pappus: refused/, 'and nothing of the plugin\'s');
	is($mqtt->connect('two', $broker->as($two, id => "$two->{id}-2"))->{code},
	    0, 'the other comes in');
	# Denied by the deny-list alone: within a second, without a reload.
	$feed->delta('+device' => $two->{id});
	$feed->write;
	ok($mqtt->wait($two->{id}, qr/^closed/, 5), 'denied, it is out');
	is($mqtt->connect('two.denied', $broker->as($two))->{code}, 5,
	    'and refused');
	is_deeply([grep { /closed/ } $mqtt->told($one->{id})], [],
	    'while mosquitto itself leaves live sessions alone');
	$feed->delta('+serial' => $one->{serial});
	$feed->write;
	ok($mqtt->wait($one->{id}, qr/^closed/, 5), '… and the plugin does not');
	is($broker->stop, 0, 'mosquitto ends in peace');
};

# A CRL by openssl, with the serial (hex) if there is one; PEM.
sub crl
{
	my ($ca, $serial) = @_;
	my $base = $broker->path("crl-$ca");
	spew("$base.db", $serial
	    ? "R\t401231235959Z\t250101000000Z\t\U$serial\E\tunknown\t/CN=x\n" : '');
	spew("$base.number", "01\n");
	spew("$base.cnf", "[ca]\ndatabase = $base.db\ncrlnumber = $base.number\n"
	    . "default_md = sha256\ndefault_crl_days = 7\nunique_subject = no\n");
	my ($cert, $key) = map { $broker->path($ca eq 'root' ? "root/root.$_"
	    : "$ca/ca.$_") } qw(crt key);
	return Pappus::Ceremony->run('', 'openssl', 'ca', '-config',
	    "$base.cnf", '-name', 'ca', '-gencrl', '-cert', $cert, '-keyfile',
	    $key);
}

done_testing;
