# SPDX-License-Identifier: ISC
# docs/deploy.md, done as it stands there: what `make install DESTDIR=…` makes is
# put in place, and every shell block and file of the document is carried out in
# namespaces of its own (mounts, network, processes), where root may do what it
# says to /etc, /usr/local and /var without touching this machine.  systemctl
# is played by a script that starts what the document's unit says.  On the
# machine that stands then, docs/backup.md likewise.
use strict;
use warnings;
use Test::More;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use IO::Select;
use IPC::Open2;
use Pappus::Test qw(slurp spew);

my $build = abs_path($ENV{PAPPUS_BUILDDIR});
my $source = $INC{'Pappus/Test.pm'} =~ s{tests/lib/Pappus/Test\.pm\z}{}r;
my $document = slurp("${source}docs/deploy.md");
my $tmp = tempdir('/tmp/pappus-deploy.XXXXXX', CLEANUP => 1);
my $PASSPHRASE = 'four words for ceremonies';
my $keep = '/mnt/keep';		# in the namespaces: a folder for backup.md

# ------------------------------------------------------------ what is installed

# A file's path below DESTDIR => its mode.
sub installed
{
	my ($dest) = @_;
	my (undef, $out) = Pappus::Test::run_command('', 'find', $dest, '-not',
	    '-type', 'd', '-printf', '%P %m\n');
	return { map { split / / } split /\n/, $out };
}

subtest 'make install' => sub {
	my ($status, undef, $err) = Pappus::Test::run_command('', 'make', '-s', '-C',
	    $build, 'install', "DESTDIR=$tmp/dest");
	is($status, 0, 'into a DESTDIR') or diag($err);
	my ($prefix) = slurp("$build/Makefile") =~ /^prefix = (.*)$/m;
	is($prefix, '/usr/local', 'below the prefix that the document assumes');
	my $got = installed("$tmp/dest$prefix");
	my %want = ('bin/pappus' => 755, 'bin/pappus-ca' => 755,
	    'lib/pappus/pappus_mosquitto.so' => 755,
	    (map { ("sbin/pappus-$_" => 755) } qw(crld brokerd)),
	    map { ("libexec/pappus/$_" => 755) } qw(enroll identity admin));
	my @data = (
		(map { "share/pappus/sql/$_" =~ s{\Q${source}sql/\E}{}r }
			glob "${source}sql/*.sql"),
		(map { "share/pappus/nginx/$_" =~ s{\Q${source}nginx/\E}{}r }
			glob "${source}nginx/*.conf ${source}nginx/*.in"),
		(map { "share/pappus/broker/$_" =~ s{\Q${source}broker/\E}{}r }
			glob "${source}broker/*.conf"),
		(map { m{docs/(.*\.([178]))\z}; "share/man/man$2/$1" }
			glob "${source}docs/*.[178]"),
		(map { "share/doc/pappus/$_" =~ s{\Q${source}docs/\E}{}r }
			glob "${source}docs/*.md ${source}docs/*.svg"));
	$want{$_} = 644 for @data;
	is_deeply($got, \%want, 'these files with these modes, and no others');
	is((stat "$tmp/dest$prefix/$_")[2] & 07777, 0755, "$_ is open to all")
	    for qw(bin sbin libexec/pappus lib/pappus share/pappus/sql share/pappus/nginx);
	my ($table) = $document =~ /^\| where \(below `\/usr\/local`\).*?\n\n/ms;
	for (qw(bin/pappus bin/pappus-ca libexec/pappus/enroll
		sbin/pappus-crld sbin/pappus-brokerd
		lib/pappus/pappus_mosquitto.so share/pappus/sql
		share/pappus/nginx share/pappus/broker)) {
		like($&, qr/`\Q$_\E`/, "the document names $_");
	}
};

# ------------------------------------------------------------- the document

# Its parts in order: {section, kind => sh|ini|…, text, before => the paragraph}.
sub parts
{
	my @parts;
	my $section = 0;
	my $before = '';
	while ($document =~ /^## (\d+)\.|^```(\w*)\n(.*?)^```$|^([^\n]+)$/msg) {
		$section = $1 if defined $1;
		$before = $4 if defined $4;
		push @parts, { section => $section, kind => $2, text => $3,
			before => $before } if defined $3;
	}
	return @parts;
}

my @parts = parts();
my ($unit, $crld, $brokerd) =
    map { $_->{text} } grep { $_->{kind} eq 'ini' } @parts;
my $root = $> == 0;
my $namespaces = $root && system('unshare --mount --net --pid --fork '
    . '--mount-proc sh -c "mount -t tmpfs t /mnt && ip link set lo up && '
    . 'mkdir /mnt/u /mnt/w && mount -t overlay o '
    . '-o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc" >/dev/null 2>&1')
    == 0;

subtest 'the unit' => sub {
	plan skip_all => 'systemd-analyze is not here'
	    if system('command -v systemd-analyze >/dev/null') != 0;
	ok($unit, 'is in the document') or return;
	my ($drop_in) = slurp("${source}docs/operations.md")
	    =~ /^```ini\n(.*?)^```$/ms;
	my $dir = "$tmp/units/pappus\@identity.service.d";
	mkdir $_ for "$tmp/units", $dir;
	spew($$_[0], $$_[1] =~ s{/usr/local/(libexec|sbin)}{$tmp/dest/usr/local/$1}gr)
	    for (map { ["$tmp/units/pappus\@$_.service", $unit] } qw(enroll identity)),
	    ["$tmp/units/pappus-crld.service", $crld],
	    ["$tmp/units/pappus-brokerd.service", $brokerd],
	    ["$dir/credentials.conf", $drop_in];
	for (['pappus@enroll', 'it'], ['pappus@identity',
		'it with the credentials of operations.md'],
	    ['pappus-crld', 'crld\'s'], ['pappus-brokerd', 'brokerd\'s']) {
		my ($status, $out, $err) = Pappus::Test::run_command('',
		    'systemd-analyze', 'verify', '--man=no',
		    "$tmp/units/$$_[0].service");
		my @about = grep { /pappus/ } split /\n/, "$out$err";
		is_deeply([$status, @about], [0], "systemd has nothing against $$_[1]");
	}
	for (qw(pappus@enroll pappus-crld pappus-brokerd)) {
		my (undef, $said) = Pappus::Test::run_command('', 'systemd-analyze',
		    'security', '--offline=true', "$tmp/units/$_.service");
		my ($exposure) = $said =~ /exposure level[^\d]*([\d.]+)/;
		cmp_ok($exposure // 10, '<', 3, "and calls $_ well shut in")
		    or diag($said);
	}
};

# ------------------------------------------------------------- its execution

# What the namespaces start with: private copies of what the document changes,
# Debian's packages as freshly installed, names that DNS would know.
my $PRELUDE = <<'SH';
set -eu
tmp=$1
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /mnt
for name in etc usr/local var root media; do
	mkdir -p "/mnt/$name/upper" "/mnt/$name/work"
	mount -t overlay overlay -o \
	    "lowerdir=/$name,upperdir=/mnt/$name/upper,workdir=/mnt/$name/work" "/$name"
done
mount -t tmpfs -o mode=0755 tmpfs /run
# Whatever else is written would be written on this machine.
mount -o remount,bind,ro /
ip link set lo up
cp -r "$tmp/dest/." /
cp -p "$tmp/systemctl" "$tmp/journalctl" /usr/local/bin/
mkdir -p /media/stick /run/lock /run/postgresql /run/mosquitto /mnt/offline
mkdir -m 1777 /mnt/tmp
chown postgres:postgres /run/postgresql
chown mosquitto:mosquitto /run/mosquitto
echo '127.0.0.1 localhost pki.example.com pappus.example.com mqtt.example.com' >/etc/hosts
rm -rf /etc/postgresql/15 /var/lib/postgresql/15 /var/log/nginx /var/log/mosquitto
mkdir -p /var/log/nginx
install -d -o mosquitto /var/log/mosquitto
pg_createcluster 15 main -- -N >/dev/null
echo "listen_addresses = ''" >>/etc/postgresql/15/main/postgresql.conf
pg_ctlcluster 15 main start
rm -f /etc/nginx/sites-enabled/* /etc/mosquitto/conf.d/*.conf
mkdir -p /var/www/there
echo 'was here before' >/var/www/there/index.html
echo 'server { listen 80 default_server; root /var/www/there; }' \
    >/etc/nginx/sites-enabled/default
nginx
SH

# Of systemctl what the document uses.  Of a unit what starts and reloads it.
my $SYSTEMCTL = <<'PERL';
#!/usr/bin/perl
use strict;
use warnings;

sub unit
{
	my ($name) = @_;
	my ($file_name, $instance) = $name =~ /^(pappus@)(\w+)(?:\.service)?\z/;
	($file_name, $instance) = ($name, $name) if $name =~ /^pappus-\w+\z/;
	return if !defined $instance;
	open my $file, '<', "/etc/systemd/system/$file_name.service" or die "no unit: $!";
	my $text = do { local $/; <$file> };
	$text =~ s/\\\n\s*/ /g;
	$text =~ s/%i/$instance/g;
	my %unit = (instance => $instance);
	push @{$unit{$1}}, $2 while $text =~ /^(\w+)=(.*)$/mg;
	return \%unit;
}

sub pid_file { return "/run/unit-$_[0]{instance}.pid" }

sub main_pid
{
	open my $file, '<', pid_file($_[0]) or return;
	my $pid = <$file>;
	chomp $pid;
	return kill(0, $pid) ? $pid : undef;
}

sub environment
{
	my ($unit) = @_;
	my @words = map { /^"(.*)"\z/ ? $1 : $_ } @{$unit->{Environment} // []};
	for (@{$unit->{EnvironmentFile} // []}) {
		my ($may_lack, $path) = /^(-?)(.*)/;
		open my $file, '<', $path or $may_lack ? next : die "$path: $!";
		push @words, map { s/\s+\z//r } grep { /^\w+=/ } <$file>;
	}
	return @words;
}

# What the unit takes from a process, as far as it can be done without systemd.
sub shut_in
{
	my ($unit) = @_;
	my @command = ('setpriv');
	push @command, '--no-new-privs'
	    if ($unit->{NoNewPrivileges}[0] // '') eq 'yes';
	push @command, '--bounding-set', join ',', '-all', map { s/^CAP_/+/r =~ tr/A-Z/a-z/r }
	    split ' ', $unit->{CapabilityBoundingSet}[0] if $unit->{CapabilityBoundingSet};
	push @command, map { ("--reuid=$_", "--regid=$_", '--clear-groups') }
	    @{$unit->{User} // []};
	return (@command, '--');
}

sub slurp_log
{
	open my $file, '<', "/var/log/unit-$_[0]{instance}.log" or return '';
	local $/;
	return <$file> // '';
}

sub start
{
	my ($unit) = @_;
	return if main_pid($unit);
	mkdir "/run/$_", 0755 for @{$unit->{RuntimeDirectory} // []};
	%ENV = (PATH => '/usr/local/bin:/usr/bin:/bin',
		map { split /=/, $_, 2 } environment($unit));
	for (@{$unit->{ExecStartPre} // []}) {
		system(shut_in($unit), split ' ') == 0
		    or die "ExecStartPre failed: $_\n";
	}
	# A child of the first process, as systemd's are.
	my $between = fork // die;
	if ($between) {
		waitpid $between, 0;
	} elsif (fork // die) {
		require POSIX;
		POSIX::_exit(0);
	} else {
		select undef, undef, undef, 0.01 while getppid != 1;
		open my $file, '>', pid_file($unit) or die;
		print $file "$$\n";
		close $file;
		chdir '/';
		umask oct($unit->{UMask}[0] // '022');
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "/var/log/unit-$unit->{instance}.log";
		open STDERR, '>&STDOUT';
		setpgrp;
		exec shut_in($unit), split ' ', $unit->{ExecStart}[0];
		die "exec: $!";
	}
	for (1 .. 200) {
		return if -S "/run/pappus/$unit->{instance}.sock"
		    || $unit->{instance} =~ /^pappus-/ && slurp_log($unit) =~ /event=serving/;
		select undef, undef, undef, 0.05;
	}
	die "$unit->{instance} does not start\n";
}

sub stop
{
	my ($unit) = @_;
	my $pid = main_pid($unit) // return;
	kill 'TERM', $pid;
	for (1 .. 400) {
		return unlink pid_file($unit) if !kill 0, $pid;
		waitpid $pid, 1;
		select undef, undef, undef, 0.05;
	}
	die "$unit->{instance} doesn't stop\n";
}

sub reload
{
	my ($unit) = @_;
	my $pid = main_pid($unit) // die "$unit->{instance} does not run\n";
	my $command = $unit->{ExecReload}[0] =~ s/^\+//r =~ s/\$MAINPID/$pid/r;
	system($command) == 0 or die "$command failed\n";
}

sub mosquitto
{
	system "start-stop-daemon --stop --oknodo --retry TERM/5 --exec /usr/sbin/mosquitto";
	system('mosquitto', '-d', '-c', '/etc/mosquitto/mosquitto.conf') == 0 or die;
}

my ($verb, @names) = grep { $_ ne '--now' } @ARGV;
my %others = (
	(map { my $verb = $_; ("$verb postgresql" => sub {
		system("pg_ctlcluster 15 main $verb") == 0 or die }) }
		qw(start stop restart reload)),
	'reload nginx' => sub { system('nginx -s reload') == 0 or die },
	'restart mosquitto' => \&mosquitto);
my %verbs = (enable => \&start, start => \&start, stop => \&stop,
	disable => \&stop, reload => \&reload,
	restart => sub { stop(@_); start(@_) });
exit 0 if $verb eq 'daemon-reload';
for (@names) {
	my $unit = unit($_);
	my $act = $unit ? $verbs{$verb} : $others{"$verb $_"};
	$act or die "systemctl $verb $_ is not played here\n";
	$act->($unit);
}
PERL

SKIP: {
	skip 'the document itself: only root may', 1 if !$root;
	skip 'the document itself: no namespaces with overlays here', 1
	    if !$namespaces;
	subtest 'the documents, from users to backing out' => \&document;
}

# One shell inside the namespaces, which is given one script after another.
my ($shell, $in, $out);

# within SCRIPT: (status, what it said).
sub within
{
	my ($script, %option) = @_;
	spew("$tmp/step", $script);
	my $run = $option{terminal} ? "script -qec 'bash -eu $tmp/step' /dev/null"
	    : "bash -eu $tmp/step </dev/null";
	print $in "(cd " . ($option{cwd} // '/root') . " && $run) 2>&1;"
	    . " echo \"<status \$?>\"\n";
	my ($said, $status) = ('');
	my $select = IO::Select->new($out);
	until (defined $status) {
		# Some ask first, and forget then what was typed before.
		syswrite $in, "$PASSPHRASE\n" if $option{terminal}
		    && $said =~ /: \z/ && !$select->can_read(0.5);
		sysread $out, $said, 65536, length $said or return (-1, $said);
		$status = $1 if $said =~ s/<status (\d+)>\r?\n\z//;
	}
	return ($status, $said);
}

sub ok_within
{
	my ($name, $script, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $said) = within($script, %option);
	is($status, 0, $name) or diag($said);
	return $said;
}

# The blocks of one kind in a section, in order.
sub blocks
{
	my ($section, $kind) = @_;
	return map { $_->{text} }
	    grep { $_->{section} == $section && $_->{kind} eq ($kind // 'sh') } @parts;
}

sub document
{
	spew("$tmp/$$_[0]", $$_[1]), chmod 0755, "$tmp/$$_[0]" for
	    ['systemctl', $SYSTEMCTL], ['journalctl', "#!/bin/sh\n"],
	    ['prelude', $PRELUDE];
	$shell = open2($out, $in, 'unshare', '--mount', '--net', '--pid', '--fork',
	    '--kill-child', '--mount-proc', '--', 'env', '-i', 'HOME=/root',
	    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
	    'LC_ALL=C.UTF-8', 'TMPDIR=/mnt/tmp', 'bash');
	my ($status, $said) = within("exec bash $tmp/prelude $tmp");
	if (!is($status, 0, 'a machine of its own')) {
		diag($said);
		return;
	}
	ok_within("§2 block $_", (blocks(2))[$_]) for 0 .. blocks(2) - 1;
	my @said = map { ok_within("§3 block $_", (blocks(3))[$_]) }
	    0 .. blocks(3) - 1;
	like($said[-1], qr/^pappus_enroll\|\d+\npappus_identity\|\d+\npappus_admin\|\d+\n
		pappus_crl\|\d+$/x,
	    'each arrives as its role');
	ceremony();
	programs();
	device();
	backup();
	afterwards();
	close $in;
	waitpid $shell, 0;
}

# §4: what is done offline is done in a folder of its own.
sub ceremony
{
	my $n = 0;
	for my $part (grep { $_->{section} == 4 && $_->{kind} eq 'sh' } @parts) {
		my $offline = $part->{before} =~ /^\*\*Offline|then:$/;
		within('cp /media/stick/*.csr .', cwd => '/mnt/offline') if $offline;
		ok_within('§4 block ' . $n++ . ($offline ? ', offline' : ''),
		    $part->{text}, cwd => $offline ? '/mnt/offline' : '/root',
		    terminal => $offline);
	}
	my ($table) = $document =~ /^What lies where now:\n\n(.*?)\n\n/ms;
	for (grep { m{^\| `/} } split /\n/, $table) {
		my ($file, $owner, $mode) = /^\| `(.*?)` \| (\S+).*? \| 0(\d+)/;
		is(ok_within($file, "stat -c '%U %a' $file"), "$owner $mode\n",
		    'lies there, with owner and mode');
	}
	like(ok_within('the root key', 'head -1 /mnt/offline/root/root.key'),
	    qr/ENCRYPTED/, 'is encrypted');
	ok_within("$_\'s certificate verifies", "openssl verify -x509_strict "
	    . "-CAfile /var/lib/pappus/root.crt -untrusted "
	    . "/var/lib/pappus/server.crt $_")
	    for '/etc/nginx/pappus-server.crt', '/etc/mosquitto/certs/pappus.crt';
}

# A file of the document, which names its path just before.
sub write_file
{
	my ($path, $text) = @_;
	ok_within($path, "mkdir -p \$(dirname $path)\ncat >$path <<'FILE'\n${text}FILE\n");
}

# §5 to §7.
sub programs
{
	write_file('/etc/systemd/system/pappus@.service', $unit);
	write_file('/etc/systemd/system/pappus-crld.service', $crld);
	ok_within("§5 block $_", (blocks(5))[$_]) for 0 .. blocks(5) - 1;
	for my $name (qw(enroll identity admin)) {
		is(ok_within("$name\'s socket",
			"stat -c '%U %G %a' /run/pappus/$name.sock"),
		    "pappus-$name www-data 660\n", 'is its own, and nginx\'s group\'s');
		is(ok_within("$name\'s workers",
			"ps -C $name -o user:20=,comm= | sort | uniq -c"),
		    "      2 pappus-$name" . ' ' x (21 - length "pappus-$name")
		    . "$name\n", 'two, as its user');
	}
	like(ok_within('multiwatch', 'grep -h CapBnd $(pgrep multiwatch | '
		. 'sed "s|.*|/proc/&/status|")'), qr/^(?:CapBnd:\t0+c1\n){3}\z/,
	    'has the rights that the unit leaves it');
	ok_within("§6 block $_", (blocks(6))[$_]) for 0 .. blocks(6) - 1;
	has_site('beside ours');
	write_file('/etc/systemd/system/pappus-brokerd.service', $brokerd);
	my @said = map { ok_within("§7 block $_", (blocks(7))[$_]) }
	    0 .. blocks(7) - 1;
	like($said[-1], qr/^.*pappus: deny-list.*\nfine:/m,
	    'the plugin has a list, and brokerd is fine');
}

# §8 as one script, since what its blocks set goes on to the next.
sub device
{
	my $said = ok_within('§8', 'set -o pipefail; ' . join "\n", blocks(8));
	like($said, qr/^published$/m, 'a device has published');
	like($said, qr/device\.crt: OK$/m, 'its certificate verifies');
	is(scalar(() = $said =~ /^nextUpdate=/mg), 3,
	    'the CRLs are where they should be');
	like($said, qr/dev_[0-9a-z]{26}/, 'an auditor sees what was issued');
	my ($status, $leaks) = within(
	    "grep -rlaE '[ade]t_[0-9a-z]{64}|PRIVATE KEY' /var/log /run");
	is_deeply([$status, $leaks], [1, ''], 'no log holds a token or key');
	is(ok_within('the admin token', 'stat -c "%U %a" /root/admin-token'),
	    "root 600\n", 'is root\'s alone');
}

# The site that nginx had before.
sub has_site
{
	is(ok_within('the earlier site', 'curl -sS http://localhost/'),
	    "was here before\n", "is served, $_[0]");
}

# ------------------------------------------------------------------ a restore

# The shell blocks below a heading of docs/backup.md, with the date of today and
# a disk that is here.
sub below
{
	my ($heading, $today) = @_;
	my ($text) = slurp("${source}docs/backup.md")
	    =~ /^## \Q$heading\E\n(.*?)(?=^## |\z)/ms
	    or die "nothing below $heading\n";
	return map { s/2026-11-23/$today/gr =~ s{/backup\b}{/mnt/backup}gr }
	    $text =~ /^```sh\n(.*?)^```$/msg;
}

# As in §8, another project's, whose files are kept.
sub another_device
{
	my ($name) = @_;
	ok_within("device $name", "mkdir -p $keep/$name\n"
	    . (blocks(8))[1] =~ s/^cd .*/cd $keep\/$name/mr);
}

# What GET /identity says to it.
sub identity_of
{
	my ($name) = @_;
	return ok_within("device $name asks", 'jq -r \'"Authorization: Bearer "'
	    . " + .device_token' $keep/$name/enrolled.json | curl -sS -H \@- -o"
	    . ' /dev/null --cacert /var/lib/pappus/public/ca/root.pem'
	    . " -w '%{http_code}' https://localhost:8443/identity");
}

sub in_database
{
	my ($query, @option) = @_;
	return ok_within($query, "runuser -u postgres -- psql -XAtd pappus -c"
	    . " \"$query\"", @option);
}

sub everything
{
	return join '', map { in_database(
	    "SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM $_ t") }
	    qw(pappus.devices pappus.certificates pappus.revocations
	    pappus.operator_actions);
}

sub backup
{
	my $today = ok_within('today', 'date +%F') =~ s/\n//r;
	my ($archive, $nightly) = below('The database', $today);
	my ($copy, $list) = below('What to keep beside it', $today);
	my ($pack, $look) = below('The keys', $today);
	my ($stop, $replay, $load, $unpack, $recover, $start) =
	    below('Restore', $today);
	my $in_keep = sub { ok_within($_[0], $_[1], cwd => $keep, @_[2 .. $#_]) };
	within("mkdir -m 0700 $keep");
	ok_within('an archive of WAL', $archive);
	another_device('early');
	ok_within('what is done each night', $nightly);
	$in_keep->('the keys are packed', $pack, terminal => 1);
	my @keys = $in_keep->('and seen to be readable', $look, terminal => 1)
	    =~ /key SHA-256 +(\S+)/g;
	is(scalar @keys, 2, 'a key and a certificate are shown');
	is($keys[0], $keys[-1], 'which belong together');

	another_device('late');
	my $id = $in_keep->('whose', 'jq -r .device_id early/enrolled.json')
	    =~ s/\n//r;
	ok_within('one is denied', 'sed "s/^/Authorization: Bearer /" '
	    . '/root/admin-token | curl -sSf -H @- -H "Content-Type: '
	    . 'application/json" --cacert /var/lib/pappus/public/ca/root.pem -d '
	    . "'{\"reason\":\"stolen\"}' "
	    . "https://localhost:8444/admin/v1/devices/$id/deny");
	# To a host that is here.
	$copy =~ s{^rsync -a (\S+) backup:(\S+)$}{cp -r $1 $2}m
	    or fail('how the feed is copied');
	ok_within('the feed is kept', $copy);
	$in_keep->('the list of denials', $list);
	is($in_keep->('holds', 'cat denied.txt'), "$id denied\n", 'that one');
	ok_within('a copy that was cut off',
	    'runuser -u postgres -- sh -c "echo x >/mnt/backup/wal/part"');
	my $file = in_database('SELECT pg_walfile_name(pg_switch_wal())')
	    =~ s/\n//r;
	ok_within('the archive has it all', 'for i in $(seq 100); do '
	    . "test ! -f /mnt/backup/wal/$file || exit 0; sleep 0.1; done; exit 1");

	my $before = everything();
	ok_within('the programs stop', $stop);
	ok_within('the keys are lost', 'rm -r /var/lib/pappus/ca/*');
	ok_within('the database comes from the archive', $replay);
	ok_within('the lost one is gone', 'rm -r /var/lib/postgresql/15/main.lost');
	ok_within('it is restored', 'for i in $(seq 200); do test "$(runuser -u '
	    . 'postgres -- psql -XAtc "SELECT pg_is_in_recovery()")" != f || '
	    . 'exit 0; sleep 0.1; done; exit 1');
	is(everything(), $before, 'up to the last row');
	$in_keep->('the keys come from the copy', $unpack, terminal => 1);
	is(ok_within('they lie', 'cd /var/lib/pappus/ca; stat -c "%n %U %a" '
		. 'device device/ca.key server server/ca.key'),
	    "device pappus-identity 700\ndevice/ca.key pappus-identity 600\n"
	    . "server root 700\nserver/ca.key root 600\n", 'with owner and mode');
	ok_within('the programs start', $start);
	is(identity_of('late'), 200, 'which gets another certificate');
	is(identity_of('early'), 403, 'and the denied one none');

	ok_within('the programs stop', $stop);
	ok_within('the database is lost', 'runuser -u postgres -- dropdb pappus');
	ok_within('an older one is loaded', $load);
	$in_keep->('certificates', 'cat */device.crt >devices.pem');
	my $told = $in_keep->('it is told', $recover);
	like($told, qr/^denials: 1 devices and 0 serials new, 0 known$/m, 'who is denied');
	like($told, qr/^certificates: 1 new, 3 known, /m, 'and what was issued');
	ok_within('the programs start', $start);
	is(identity_of('early'), 403, 'the denial holds');
	is(identity_of('late'), 401, 'whose token was forgotten');
}

# /run is empty then, and nginx may be the first to start.
sub reboot
{
	ok_within('a boot', 'systemctl stop pappus@enroll pappus@identity '
	    . 'pappus@admin; nginx -s stop; rm -rf /run/pappus; '
	    . 'systemd-tmpfiles --create pappus.conf; sleep 0.5; nginx');
	ok_within('then the programs',
	    'systemctl start pappus@enroll pappus@identity pappus@admin');
}

# §10 and §11.
sub afterwards
{
	my $workers = 'sleep 1; ps -C enroll,identity,admin -o pid= | sort';
	reboot();
	my $before = ok_within('workers', $workers);
	for (blocks(10)) {
		s/^make && make install\n//m or fail('§10 builds and installs');
		ok_within('§10', $_);
	}
	my $after = ok_within('workers', $workers);
	is(scalar(() = $after =~ /\d+/g), 6, 'are all there');
	is_deeply([grep { $after =~ /\b$_\b/ } $before =~ /\d+/g], [],
	    'and all new');
	like(ok_within('a request', 'curl -sS --cacert '
		. '/var/lib/pappus/public/ca/root.pem https://localhost:8443/enroll '
		. '-X POST'), qr/urn:pappus:problem:unauthenticated/, 'is answered');
	my $certificates = in_database('SELECT count(*) FROM pappus.certificates');
	ok_within("§11 block $_", (blocks(11))[$_]) for 0 .. blocks(11) - 1;
	has_site('after it');
	my ($status) = within('ps -C enroll,identity,admin,multiwatch,pappus-crld,'
	    . 'pappus-brokerd');
	is($status, 1, 'no program runs');
	($status) = within('for i in $(seq 50); do curl -sk https://localhost:8443/ '
	    . '|| exit $?; sleep 0.1; done');
	is($status, 7, 'nginx listens for them no longer');
	is(in_database('SELECT count(*) FROM pappus.certificates'), $certificates,
	    'the database is as it was');
}

done_testing;
