# SPDX-License-Identifier: ISC
# The broker lets a device in by its certificate and to its own topics alone,
# and both sides refuse certificates that come from elsewhere.
use strict;
use warnings;
use Test::More;
use Pappus::Ceremony;
use Pappus::Test qw(slurp spew secret wait_until);

my $stack = Pappus::Test->start(workers => 1);
my $port = $stack->setting('MQTT_PORT');
my $token = $stack->enrollment_token($stack->project);
my ($one, $two) = map { $stack->device($token) } 1 .. 2;

# A client as a child: its output goes to a file.
sub client
{
	my ($tool, $device, @args) = @_;
	my $out = File::Temp->new;
	my @certificate = $device
	    ? ('--cert', $device->{certificate}, '--key', $device->{key}) : ();
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDOUT, '>&', $out;
		open STDERR, '>&', $out;
		exec 'stdbuf', '-oL', "mosquitto_$tool", '-h', 'localhost', '-p', $port, '--cafile',
		    $stack->root_file, @certificate, @args;
	}
	return { pid => $pid, out => $out };
}

sub output { return slurp($_[0]{out}->filename) }

sub finish
{
	my ($client) = @_;
	waitpid $client->{pid}, 0;
	return $? >> 8;
}

# Listens until one message came or three seconds are over.
sub subscribed
{
	my ($device, $topic) = @_;
	my $client = client('sub', $device, '-d', '-i', "$device->{id}-sub", '-t',
	    $topic, '-C', 1, '-W', 3, '-F', 'got %t %p');
	wait_until(5, sub { output($client) =~ /^Subscribed/m })
	    or diag(output($client));
	return $client;
}

sub publish
{
	my ($device, $topic, @args) = @_;
	return client('pub', $device, '-i', $device->{id}, '-q', 1, '-t', $topic,
	    '-m', 'hello', @args);
}

subtest 'a device reaches its own topics' => sub {
	my $sub = subscribed($one, "devices/$one->{id}/#");
	is(finish(publish($one, "devices/$one->{id}/state")), 0, 'publishes');
	is(finish($sub), 0, 'receives');
	like(output($sub), qr{^got devices/$one->{id}/state hello$}m, 'the same');
};

subtest 'and nothing beyond them' => sub {
	my @subs = (subscribed($one, "devices/$one->{id}/#"),
	    subscribed($two, '#'), subscribed($two, "devices/$one->{id}/#"));
	finish(publish($two, "devices/$one->{id}/state"));
	finish(publish($two, 'elsewhere'));
	finish(publish($two, "devices/$one->{id}x/state"));
	isnt(finish($_), 0, 'nothing came') for @subs;
	unlike(output($_), qr/^got/m, 'indeed') for @subs;
	# A name that the client gives itself counts for nothing.
	my $sub = subscribed($one, "devices/$one->{id}/#");
	finish(publish($two, "devices/$one->{id}/state", '-u', $one->{id}, '-P',
		'x'));
	isnt(finish($sub), 0, 'nor under another\'s user name');
};

# docs/operations.md, "Services": who sits on the other side of the broker.
subtest 'a service' => sub {
	my $pki = Pappus::Ceremony->new;
	symlink $stack->dir . '/root', $pki->path('root') or die "symlink: $!";
	$pki->sub_ca('root', 'service');
	$pki->ca('service', '--dir', $pki->path('service'), '--out',
		$pki->path('backend'));
	# As one that doesn't send its sub-CA along.
	my (undef, $leaf) = Pappus::Test::run_command($pki->pem('backend.crt'),
	    'openssl', 'x509', '-subject');
	my ($id) = $leaf =~ /(svc_\w+)/;
	spew($pki->path('leaf.crt'), $leaf);
	my $service = { id => $id, certificate => $pki->path('leaf.crt'),
		key => $pki->path('backend.key') };
	isnt(finish(publish($service, 'x')), 0, 'is a stranger at first');
	{
		local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run
		    . '/pg dbname=pappus user=pappus_setup passfile='
		    . $stack->run . '/pgpass';
		my ($status, undef, $err) = Pappus::Test::run_command('',
		    "$ENV{PAPPUS_BUILDDIR}/pappus", 'issuer', 'register', '--dir',
		    $pki->path('service'));
		is($status, 0, 'its sub-CA is registered') or diag($err);
	}

	my $conf = $stack->run . '/mosquitto';
	my %saved = map { $_ => slurp("$conf/$_") } qw(clients.pem acl);
	my ($acl) = slurp('docs/operations.md')
	    =~ /^```\n(pattern readwrite devices.*?)^```$/ms;
	like($acl, qr/^user svc_\w+$/m, 'the ACL of docs/operations.md');
	spew("$conf/acl", $acl =~ s/svc_\w+/$id/r);
	spew("$conf/clients.pem", $saved{'clients.pem'} . $pki->pem('service/ca.crt'));
	$stack->stack('stop', 'mosquitto');
	# Not by the stack, which would write its own files again.
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>', $stack->tmp . '/mosquitto.log';
		exec { '/usr/sbin/mosquitto' } 'mosquitto', '-c',
		    "$conf/mosquitto.conf";
	}
	ok(wait_until(5, sub {
		IO::Socket::INET->new("127.0.0.1:$port") }), 'the broker knows it');
	ok(wait_until(10, sub { finish(publish($service, 'x')) == 0 }),
	    'and, by the feed, the plugin') or diag($stack->log('brokerd'));
	my $all = subscribed($service, 'devices/#');
	is(finish(publish($one, "devices/$one->{id}/state")), 0, 'a device sends');
	is(finish($all), 0, 'which the service receives');
	like(output($all), qr{^got devices/$one->{id}/state hello$}m, 'from it');
	my $sub = subscribed($one, "devices/$one->{id}/#");
	finish(publish($service, "devices/$one->{id}/state"));
	isnt(finish($sub), 0, 'it sends nothing to where it may only read');
	my $other = subscribed($two, 'devices/#');
	finish(publish($one, "devices/$one->{id}/state"));
	isnt(finish($other), 0, 'and devices are none the wiser');
	kill 'TERM', $pid;
	waitpid $pid, 0;
	$stack->stack('start', 'mosquitto');
};

subtest 'no certificate' => sub {
	my $client = client('pub', undef, '-t', 'x', '-m', 'x', '-i', 'nobody');
	isnt(finish($client), 0, 'is refused');
};

# A hierarchy from elsewhere, made by openssl alone.
my $elsewhere = $stack->tmp . '/elsewhere';
mkdir $elsewhere;

sub openssl
{
	system("cd $elsewhere && openssl @_ >>log 2>&1") == 0
	    or die "openssl @_: ", slurp("$elsewhere/log");
}

sub foreign_certificate
{
	my ($name, $subject, $usage) = @_;
	spew("$elsewhere/$name.ext", "extendedKeyUsage=$usage\n"
	    . "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
	openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc "
	    . "-keyout $name.key -out $name.csr -subj /CN=$subject");
	openssl("x509 -req -in $name.csr -CA root.crt -CAkey root.key "
	    . "-CAcreateserial -days 2 -extfile $name.ext -out $name.crt");
	return { id => $subject, certificate => "$elsewhere/$name.crt",
		key => "$elsewhere/$name.key" };
}
openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc '
    . '-keyout root.key -out root.crt -days 2 -subj /CN=Elsewhere');

subtest 'a device certificate from elsewhere' => sub {
	my $forged = foreign_certificate('device', $one->{id}, 'clientAuth');
	my $client = publish($forged, "devices/$one->{id}/state");
	isnt(finish($client), 0, 'is refused by the broker');
};

subtest 'a broker whose certificate comes from elsewhere' => sub {
	my $server = foreign_certificate('broker', 'localhost', 'serverAuth');
	my $conf = $stack->run . '/mosquitto';
	my %saved = map { $_ => slurp("$conf/$_") }
	    qw(mosquitto.conf mosquitto.crt mosquitto.key);
	$stack->stack('stop', 'mosquitto');
	# On the same port, with the same clients' CAs.
	my $dir = "$elsewhere/run";
	mkdir $dir;
	spew("$dir/$_", slurp("$conf/$_"))
	    for qw(clients.pem acl pappus_mosquitto.so);
	spew("$dir/mosquitto.crt", slurp($server->{certificate}));
	spew("$dir/mosquitto.key", slurp($server->{key}));
	spew("$dir/mosquitto.conf", slurp("$conf/mosquitto.conf")
	    =~ s/\Q$conf\E/$dir/gr =~ s/^user .*/user root/mr);
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>', "$dir/log";
		exec { '/usr/sbin/mosquitto' } 'mosquitto', '-c',
		    "$dir/mosquitto.conf";
	}
	ok(wait_until(5, sub {
		IO::Socket::INET->new("127.0.0.1:$port") }), 'listens');
	my $client = publish($one, "devices/$one->{id}/state");
	isnt(finish($client), 0, 'is refused by the device');
	like(output($client), qr/certificate verify failed|TLS error/i, 'for that');
	kill 'TERM', $pid;
	waitpid $pid, 0;
	$stack->stack('start', 'mosquitto');
	is(finish(publish($one, "devices/$one->{id}/state")), 0,
	    'ours takes the device again');
};

done_testing;
