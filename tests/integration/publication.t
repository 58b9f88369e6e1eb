#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# lib/request/publication and the waiting of lib/world/db, as pappus-crld uses
# them: every field comes across, more than a page too, and the server may go
# and come meanwhile.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use IPC::Open2 qw(open2);
use Pappus::Calls qw(admin digest enroll id issue quoted_id setup);
use Pappus::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

my $build = $ENV{PAPPUS_BUILDDIR} // die "PAPPUS_BUILDDIR is not set\n";
my $program = 'tests/integration/publication_calls';
system('make', '-s', '-C', $build, $program) == 0 or die "make: $?\n";

my $log = tempdir(CLEANUP => 1) . '/log';
my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
$cluster->migrate;
my $db = $cluster->session;
$db->value(setup('{"name": "Project"}'));

package Calls {
	sub new {
		my ($class) = @_;
		my $pid = main::open2(my $out, my $in, 'sh', '-c',
		    'exec "$0" "$1" 2>>"$2"', "$build/$program",
		    $cluster->conninfo('pappus_crl'), $log);
		$in->autoflush(1);
		return bless { in => $in, out => $out, pid => $pid }, $class;
	}

	sub send { print { $_[0]{in} } "$_[1]\n"; return $_[0] }

	# (the result, the lines before it)
	sub answer {
		my ($self) = @_;
		my @lines;
		while (defined(my $line = readline $self->{out})) {
			chomp $line;
			return ($1, @lines) if $line =~ /^= (\w+)/;
			push @lines, $line;
		}
		die "it has ended\n";
	}

	sub call { my ($self, $line) = @_; return $self->send($line)->answer }

	sub DESTROY {
		my ($self) = @_;
		local $?;
		close $self->{in};
		waitpid $self->{pid}, 0;
	}
}

my $calls = Calls->new;
# call(line): what comes out, one string.
sub call { return join "\n", $calls->call($_[0]) }

subtest 'the lease' => sub {
	is(call('lease one 3600'), "done\n1 0", 'taken');
	my $other = Calls->new;
	is(($other->call('lease other 3600'))[0], 'lost', '... by one');
	is(($calls->call('status'))[1] =~ s/ \d+$//r, '1 one 0 0 2', 'as it stands');
	is(call('release 0'), 'lost', 'not another\'s to give up');
	is(call('release 1'), 'done', '... but by itself');
	is(($other->call('lease other 3600'))[1], '2 0', 'then it is the other\'s');
	for ("claim 1 0 10", 'prune 1 10', "record 1 2 1 0 1 0 0 0 @{['00' x 32]} 00") {
		is(($calls->call($_))[0], 'lost', "over: $_");
	}
	is(call('lease one 0'), "failed\n0 0", 'what the server refuses');
	$other->call('release 2');
	is(($calls->call('lease one 3600'))[1], '3 0', 'and back');
};

# What the database says to a query, in the words of the program.
sub expected { return [split /\n/, $db->value($_[0])] }
my $EPOCH = 'coalesce(floor(extract(epoch FROM %s))::bigint, 0)';
sub epoch { return sprintf $EPOCH, $_[0] }

subtest 'more than a page' => sub {
	$db->value('INSERT INTO pappus.revocations (serial, issuer_id, not_after,'
	    . ' reason, revoked_at, actor, origin) SELECT'
	    . " decode('01' || lpad(to_hex(n), 30, '0'), 'hex'), n % 7, CASE WHEN"
	    . " n % 7 > 0 THEN to_timestamp(n * 100000.0 + 0.7) END, n % 6,"
	    . " to_timestamp(n + 0.999), 'x', 'recover' FROM generate_series(1, 45000) n");
	# The oldest and the longest, and from before 1970.
	$db->value('INSERT INTO pappus.revocations (serial, issuer_id, not_after,'
	    . " reason, revoked_at, actor, origin) VALUES ('\\x01', 1, 'infinity', 6,"
	    . " '1969-12-31 23:59:58.5+0', 'x', 'recover'),"
	    . " (decode(repeat('7f', 20), 'hex'), NULL, NULL, 10, now(), 'x', 'recover')");
	$db->value('INSERT INTO pappus.unknown_devices (device_id, state, actor)'
	    . " SELECT 'dev_' || lpad(n::text, 26, '0'), 'denied', 'x' FROM"
	    . ' generate_series(1, 45000) n');
	my ($result, $line) = $calls->call('claim 3 0 80000');
	my ($first, $claimed) = split / /, $line;
	is($claimed, 80000, 'claimed, at most so many');
	($result, $line) = $calls->call("claim 3 $first 80000");
	my ($last, $rest) = split / /, $line;
	is($rest, 10004, '... and the rest');
	is(($calls->call("claim 3 $last 9"))[1], "$last 0", '... that is all');

	my @entries = $calls->call("entries $last");
	is(shift @entries, 'done', 'entries');
	my $entry = "'entry ' || encode(serial, 'hex') || ' ' ||"
	    . " coalesce(issuer_id, 0) || ' ' || " . epoch('not_after')
	    . " || ' ' || reason || ' ' || " . epoch('revoked_at');
	my $expected = expected("SELECT $entry FROM pappus.revocations"
	    . ' WHERE isfinite(not_after) IS NOT FALSE ORDER BY serial');
	my ($infinite) = grep { $_ eq $entries[0] } @entries;
	shift @entries;
	is_deeply(\@entries, $expected, '... every field of every one');
	like($infinite, qr/^entry 01 1 9\d{12} 6 -2$/, '... never, and before 1970');

	my @devices = $calls->call("devices $last");
	is(shift @devices, 'done', 'devices');
	is_deeply(\@devices, expected("SELECT 'device ' || device_id FROM"
	    . ' pappus.unknown_devices ORDER BY device_id'), '... all');

	my @changes = $calls->call("changes 0 $last");
	is(shift @changes, 'done', 'changes');
	is(scalar @changes, 90004, '... all');
	is_deeply([grep { /certificate/ } @changes], expected(
	    "SELECT sequence || ' certificate 0 ' || encode(serial, 'hex') ||"
	    . " ' 0 0 0 0 1 ' || substr(e, 7) FROM (SELECT sequence, change_id,"
	    . " serial, CASE WHEN isfinite(not_after) IS FALSE THEN"
	    . " '$infinite' ELSE $entry END AS e FROM pappus.changes"
	    . " WHERE kind = 'certificate') c ORDER BY change_id"),
	    '... every field of every one');
	is_deeply([grep { /device/ } @changes], expected(
	    "SELECT sequence || ' device ' || device_id || ' 1' FROM pappus.changes"
	    . " WHERE kind = 'device' ORDER BY change_id"), '... and of devices');
	is_deeply([grep { /issuer/ } @changes], ["$first issuer 1", "$first issuer 2"],
	    '... and of CAs');
	is(() = $calls->call("changes $first $last"), 10005, 'those since');

	$db->value("DELETE FROM pappus.revocations WHERE serial = '\\x01';"
	    . " DELETE FROM pappus.unknown_devices WHERE device_id = '${\id('dev', 1)}'");
	is(($calls->call("entries $last 1"))[1], $infinite, 'as of then, first');
	is(($calls->call("devices $last 1"))[1], 'device ' . id('dev', 1), '... likewise');
	is(($calls->call("entries $last 20000"))[0], 'stopped', 'a reader may stop');
	my ($next) = split / /, ($calls->call("claim 3 $last 9"))[1];
	is_deeply([($calls->call("changes $last $next"))[1, 2]],
	    ["$next certificate 1" . $infinite =~ s/entry//r . ' 0 01 0 0 0 0',
	    "$next device ${\id('dev', 1)} 0"], 'released');
	is(($calls->call("entries $next 1"))[1], $expected->[0], 'and gone');
	is(call('entries ' . ($next + 1)), 'pruned', 'as of what never was');

	$db->value("UPDATE pappus.changes SET claimed_at = now() - interval '2 hours'"
	    . " WHERE sequence <= $last");
	is(call("prune 3 $last"), 'done', 'pruned, in portions');
	is($db->value('SELECT count(*) FROM pappus.changes'), 2, '... all of it');
	is(call("entries $first"), 'pruned', '... and so it is said');
	is(call("changes 0 $next"), 'pruned', '... for changes too');
	is(($calls->call("entries $last"))[0], 'done', 'as of the last that went');
};

subtest 'CRLs and issuers' => sub {
	my ($digest, $signature) = ('ab' x 32, '30' x 104);
	is(call("record 3 2 1700000000123 -5 1700604800 7 -9 3 $digest $signature"),
	    "done\n1700000000123", 'recorded');
	is(call("record 3 2 1700000000123 0 1 7 0 3 $digest $signature"),
	    "outdated\n1700000000123", '... once');
	my $crl = 'crl 2 1700000000123 -5 1700604800 7 -9 3 0'
	    . " $digest $signature";
	is(call('latest'), "done\n$crl", 'the latest');
	is(call("record 3 1 5 0 1 7 0 3 $digest $signature"), "failed\n0",
	    'what the server refuses');
	$db->value("SELECT pappus.setup_root_crl('\\x01', 9, 0, 100, '\\x3003cafe',"
	    . " ARRAY['\\x02'::bytea])");
	my $none = '00' x 32 . ' -';
	my $root = 'crl 1 9 0 100 0 0 0 0 '
	    . $db->value("SELECT encode(sha256('\\x3003cafe'), 'hex')") . ' -';
	my $revoked = $db->value('SELECT floor(extract(epoch FROM revoked_at))::bigint'
	    . ' FROM pappus.issuers WHERE issuer_id = 2');
	cmp_ok($revoked, '>', 1_700_000_000, 'a sub-CA is revoked');
	$db->value("SELECT pappus.setup_issuer_register('service', 1, 'S',"
	    . " convert_to(repeat('s', 99), 'UTF8'), '\\x03', 0, 9, 'c', 'a', NULL, NULL)");
	is(call('issuers'), join("\n", 'done',
	    'issuer 1 0 0 0 0 4000000000 u u 01 ' . '72' x 99 . ' 3003cafe', $root,
	    "issuer 2 1 1 1 $revoked 4000000000 u u 02 " . '64' x 99 . ' -', $crl,
	    'issuer 3 1 3 0 0 9 c a 03 ' . '73' x 99 . ' -',
	    "crl 3 0 0 0 0 0 0 0 $none"), 'all of each issuer');
};

sub timed { my $began = time; my @got = $_[0]->(); return (time - $began, @got) }

subtest 'waiting' => sub {
	$calls->send('listen');
	is(($calls->call('status'))[0], 'done', 'a connection that listens');
	my ($took, $how) = timed(sub { $calls->call('wait 300') });
	is($how, 'quiet', 'nothing');
	cmp_ok($took, '>=', 0.3, '... for as long as asked');
	$calls->send('wait 60000');
	sleep 0.2;
	my $notify = 'NOTIFY pappus_changes';
	$db->value($notify);
	($took, $how) = timed(sub { $calls->answer });
	is($how, 'notified', 'woken');
	cmp_ok($took, '<', 30, '... long before the end');
	$db->value($notify);
	is(($calls->call('status'))[0], 'done', 'told during another call');
	is(call('wait 60000'), 'notified', '... it is not lost');
	is(call('wait 100'), 'quiet', '... and told once');
	$db->value($notify) for 1 .. 100;
	is(call('wait 60000'), 'notified', 'many are one');
	my $n = 0;
	my $until = time + 1;
	$cluster->psql("DO \$\$ BEGIN FOR i IN 1 .. 300 LOOP PERFORM"
	    . " pg_notify('pappus_changes', i::text); COMMIT; END LOOP; END \$\$");
	$n++ while time < $until && call('wait 100') eq 'notified';
	cmp_ok($n, '<=', 51, 'a flood wakes fifty times a second at most');

	# Over a restart.
	$calls->send('wait 60000');
	$cluster->stop('fast');
	($took, $how) = timed(sub { $calls->answer });
	is($how, 'quiet', 'the server has gone');
	cmp_ok($took, '<', 30, '... which ends the wait');
	is(($calls->call('status'))[0], 'failed', 'not there');
	is(call('wait 50'), 'quiet', 'waiting for nothing');
	$cluster->start;
	$db = $cluster->session;
	for (1 .. 100) {
		last if ($calls->call('status'))[0] eq 'done';
		call('wait 100');
	}
	$db->value($notify);
	is(call('wait 60000'), 'notified', 'it listens again by itself');
	is(($calls->call('claim 3 0 10'))[0], 'done', 'and leads');
	my @events = Pappus::Cluster::slurp($log) =~ /event=(database-(?:down|up)|
	    database-unreachable)/gx;
	is("@events", 'database-down database-up', 'which is logged once');
};

done_testing();
