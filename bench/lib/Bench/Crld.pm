# SPDX-License-Identifier: ISC
# pappus-crld on a database with many revoked certificates: from its start to
# what it has published, and from an operator's call to the same.
package Bench::Crld;
use v5.36;

use JSON::PP qw(encode_json);
use List::Util qw(max);
use Pappus::Crld;
use Pappus::Load;
use Pappus::Test qw(slurp wait_until);
use Time::HiRes qw(sleep stat time);

use constant {
	PATIENCE => 300,     # seconds for anything
	LOOK => 0.0005,      # between looks at what is published
	CALM => 10,          # times as long as a CRL took it is idle
	IDLE => 0.1,
};

# new BENCH (a Bench::Stack), DEVICES: on its stack, in place of the stack's own
# crld; so many devices are there to be shut out.
sub new ($class, $bench, $devices) {
	my $stack = $bench->{stack};
	$stack->stack('stop', $_) for qw(mosquitto brokerd crld);
	my $self = bless { stack => $stack, lives => 0 }, $class;
	$self->{issuer} = $stack->psql('postgres', 'SELECT issuer_id FROM'
	    . " pappus.issuers WHERE purpose = 'device'");
	$self->{devices} = [map {
		$stack->device($bench->{enrollment_token})->{id}
	} 1 .. $devices];
	return $self;
}

# So many revoked certificates, as reissues of thirty a second would leave them,
# and nothing else; without what the trigger would tell of each.
sub fill ($self, $count) {
	$self->{stack}->psql('postgres', <<~"SQL");
		SET session_replication_role = replica;
		TRUNCATE pappus.revocations, pappus.changes, pappus.crls;
		INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason,
			revoked_at, actor, origin)
		SELECT decode(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint
				- ($count - n) * 33), 12, '0'), 'hex')
				|| substr(sha256(n::text::bytea), 1, 10),
			$self->{issuer}, now() + interval '30 years', 4,
			now() - ($count - n) * interval '33 ms', 'bench', 'reissue'
		FROM generate_series(1, $count) n;
		RESET session_replication_role;
		VACUUM (FREEZE, ANALYZE) pappus.revocations;
		CHECKPOINT;
		SQL
	$self->{count} = $count;
}

# When each of CONDITIONS, NAME => CODE, became true, in ms since START.
sub watch ($start, %condition) {
	my %ms;
	while (%condition && time < $start + PATIENCE) {
		for my $name (keys %condition) {
			next if !$condition{$name}->();
			$ms{$name} = max(0, 1000 * (time - $start));
			delete $condition{$name};
		}
		sleep LOOK;
	}
	die 'not published: ', join(', ', sort keys %condition), "\n" if %condition;
	return \%ms;
}

# What was logged last of an event: its field.
sub logged ($self, $event, $field) {
	my @found = $self->{crld}->log =~ / event=$event .*?\b$field=(\d+)/g;
	return $found[-1] // die "$event is not in the log\n";
}

# From the start of a crld to what it publishes, on a folder without anything.
sub cold ($self) {
	my $crld = $self->{crld} = Pappus::Crld->new($self->{stack},
	    'cold-' . ++$self->{lives});
	my $start = time;
	$crld->start;
	my $ms = watch($start, crl => sub { -e $crld->file('crl/device.crl') },
	    feed => sub { -e $crld->file('feed/state') },
	    all => sub { $crld->events('crl') >= 2 && ($self->state)[1] });
	$ms->{read} = $self->logged('lists-read', 'us') / 1000;
	my $entries = $self->logged('lists-read', 'entries');
	die "$entries entries instead of $self->{count}\n"
	    if $entries != $self->{count};
	$self->rest($ms->{all} - $ms->{read});
	return { %$ms, rss => $self->peak };
}

sub peak ($self) {
	my ($kb) = slurp('/proc/' . $self->{crld}->pid . '/status')
	    =~ /^VmHWM:\s+(\d+)/m;
	return $kb / 1024;
}

# Until nothing is due any more of what took so many ms.
sub rest ($self, $ms) {
	sleep IDLE + CALM * $ms / 1000;
}

# The names of the delta and of the PEM of all lists.
sub state ($self) {
	my $file = $self->{crld}->file('feed/state');
	my $text = -e $file ? slurp($file) : '';
	return map { $text =~ /^$_ (\w+)$/m ? $1 : '' } qw(deny-delta crls);
}

# An operator's call: (when it was sent, when the answer was there).
sub call ($self, $path) {
	my $body = encode_json({ reason => 'bench/crl' });
	my $connection = Pappus::Load::connect_tls($self->{stack}, 'admin');
	my $token = $self->{stack}{admin_token};
	Pappus::Load::exchange($connection,
	    Pappus::Load::admin($token, '/projects?limit=1'));
	my $sent = time;
	my $answer = Pappus::Load::exchange($connection,
	    "POST /admin/v1$path HTTP/1.1\r\nHost: localhost\r\n"
	    . "Authorization: Bearer $token\r\nContent-Type: application/json\r\n"
	    . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
	my $now = time;
	Pappus::Load::disconnect($connection);
	die "$path: $answer->{status}\n" if $answer->{status} ne '200';
	return ($sent, $now);
}

sub inode ($self, $path) { return (stat $self->{crld}->file($path))[1] }

# One device more is shut out: from the answer to the change in the feed and to
# the CRL at its address.
sub more ($self) {
	my $device = shift $self->{devices}->@* // die "no device is left\n";
	my ($delta, $crls) = $self->state;
	my $inode = $self->inode('crl/device.crl');
	my (undef, $answered) = $self->call("/devices/$device/revoke");
	my $ms = watch($answered,
	    feed => sub { ($self->state)[0] ne $delta },
	    crl => sub { $self->inode('crl/device.crl') != $inode },
	    all => sub { ($self->state)[1] ne $crls });
	$ms->{busy} = $self->logged('crl', 'us') / 1000;
	$self->rest($ms->{all});
	return { %$ms, rss => $self->peak };
}

sub stop ($self) {
	$self->{crld}->stop;
	system('rm', '-rf', $self->{crld}->public);
}

1;
