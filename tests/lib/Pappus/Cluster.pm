# SPDX-License-Identifier: ISC
# A private PostgreSQL cluster for a test: made under a temporary directory,
# reached over a Unix socket only, gone at the test's end.  As root the server
# runs as user postgres, because initdb refuses root.
#
#   my $cluster = Pappus::Cluster->new;	# PostgreSQL without our schema
#   $cluster->migrate;			# roles.sql and the migrations
#   my $answer = $cluster->psql('SELECT 1', user => 'pappus_enroll');
#   my $session = $cluster->session(user => 'pappus_enroll');
package Pappus::Cluster;
use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(basename dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);
use Pappus::Session;

our $TREE = abs_path(dirname(__FILE__) . '/../../..');
my @clusters;

# new(settings => {name => value}): starts a cluster with one empty database.
sub new {
	my ($class, %option) = @_;
	my $self = bless {
		bin => bindir(), database => 'pappus', pid => $$,
		dir => tempdir('pappus-XXXXXX', DIR => '/tmp'),
	}, $class;
	push @clusters, $self;
	# The server's user must pass; nobody else.
	$self->{as} = $> == 0 ? [qw(setpriv --reuid=postgres --regid=postgres
	    --init-groups --)] : [];
	if ($> == 0) {
		my ($uid, $gid) = (getpwnam 'postgres')[2, 3];
		chown $uid, $gid, $self->{dir} or croak "chown: $!";
	}
	$self->{data} = "$self->{dir}/data";
	$self->{log} = "$self->{dir}/log";
	$self->run('initdb', '-D', $self->{data}, '-U', 'postgres', '-A', 'trust',
	    '-E', 'UTF8', '--locale=C.UTF-8', '-N');
	my %setting = (
		listen_addresses => '', unix_socket_directories => $self->{dir},
		unix_socket_permissions => '0700', max_connections => 60,
		shared_buffers => '64MB', timezone => 'UTC',
		%{ $option{settings} // {} });
	# Written by the server's user, whose directory it is.
	$self->{options} = join ' ',
	    map { "-c $_=" . quoted($setting{$_}) } sort keys %setting;
	$self->start;
	$self->psql("CREATE DATABASE $self->{database}", database => 'postgres');
	return $self;
}

sub bindir {
	return $ENV{PG_BINDIR} if $ENV{PG_BINDIR};
	my ($newest) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] }
	    glob '/usr/lib/postgresql/*/bin';
	return $newest // croak 'no PostgreSQL: apt-get install postgresql-15';
}

sub quoted {
	my ($text) = @_;
	$text =~ s/'/'\\''/g;
	return "'$text'";
}

# Runs a program of PostgreSQL's as the server's user, quietly.
sub run {
	my ($self, $program, @argument) = @_;
	my $line = join ' ', map { quoted($_) } @{ $self->{as} },
	    "$self->{bin}/$program", @argument;
	my $output = qx(cd / && $line 2>&1 </dev/null);
	croak "$program failed: $output" if $?;
	return $output;
}

sub socket_dir { return $_[0]->{dir} }

# conninfo(user): a libpq connection string.
sub conninfo {
	my ($self, $user, $database) = @_;
	return sprintf 'host=%s dbname=%s user=%s', $self->{dir},
	    $database // $self->{database}, $user // 'postgres';
}

sub start {
	my ($self) = @_;
	$self->run('pg_ctl', 'start', '-w', '-s', '-D', $self->{data}, '-l',
	    $self->{log}, '-o', $self->{options});
	return;
}

# stop(mode): smart, fast (default) or immediate, as pg_ctl has them.
sub stop {
	my ($self, $mode) = @_;
	$self->run('pg_ctl', 'stop', '-w', '-s', '-D', $self->{data}, '-m',
	    $mode // 'fast');
	return;
}

# psql(sql, user =>, database =>): the answer as psql -At prints it; dies with
# the server's words when that fails.  In list context (status, output, errors).
sub psql {
	my ($self, $sql, %option) = @_;
	my $session = $self->session(%option);
	my ($output, $errors) = $session->run($sql);
	$session->close;
	return ($errors =~ /^(?:ERROR|FATAL|PANIC):/m ? 1 : 0, $output, $errors)
	    if wantarray;
	croak $errors if $errors =~ /^(?:ERROR|FATAL|PANIC):/m;
	return $output;
}

sub session {
	my ($self, %option) = @_;
	return Pappus::Session->new(
	    $self->conninfo($option{user}, $option{database}),
	    bin => $self->{bin});
}

# What `pappus migrate` does, for the tests of the SQL alone: roles.sql as one
# string, then the pending migrations in one transaction.  PAPPUS_TEST_SQL names
# another folder: one with something broken, to see a test fail.
sub migrate {
	my ($self, %option) = @_;
	my $dir = $option{dir} // $ENV{PAPPUS_TEST_SQL} // "$TREE/sql";
	$self->roles("$dir/roles.sql", $option{user});
	my $session = $self->session(user => $option{user});
	$session->value('BEGIN; SET client_min_messages = warning;'
	    . ' LOCK TABLE pappus.schema_migrations IN EXCLUSIVE MODE');
	my %done = map { $_ => 1 } split /\n/,
	    $session->value('SELECT version FROM pappus.schema_migrations');
	my $applied = 0;
	for my $path (sort glob "$dir/[0-9][0-9][0-9][0-9]_*.sql") {
		my ($version, $name) = basename($path) =~ /^(\d{4})_(\w+)\.sql$/
		    or croak "not a migration's name: $path";
		next if $done{ $version + 0 };
		my $text = slurp($path);
		$session->value("SET LOCAL ROLE pappus_owner;\n$text");
		$session->value('RESET ROLE; INSERT INTO'
		    . ' pappus.schema_migrations (version, name, sha256)'
		    . sprintf " VALUES (%d, '%s', '\\x%s')", $version, $name,
		    sha256_hex($text));
		$applied++;
	}
	$session->value('COMMIT');
	return $applied;
}

# One string, hence one transaction: psql -c sends it so.  Two hosts that
# change the same row of the catalogue at once get an error; again is safe.
sub roles {
	my ($self, $path, $user) = @_;
	my $line = sprintf '%s -X -q -v ON_ERROR_STOP=1 -d %s -c "$(cat %s)"',
	    map { quoted($_) } "$self->{bin}/psql", $self->conninfo($user),
	    $path;
	my $output;
	for (1 .. 10) {
		$output = qx($line 2>&1);
		return if !$?;
		last if $output !~ /concurrently|duplicate key/;
		sleep 0.1;
	}
	croak $output;
}

sub slurp {
	my ($path) = @_;
	open my $file, '<', $path or croak "$path: $!";
	local $/ = undef;
	return scalar <$file>;
}

sub remove {
	my ($self) = @_;
	eval { $self->stop('immediate') } if -e "$self->{data}/postmaster.pid";
	remove_tree($self->{dir});
	return;
}

END {
	local $?;
	$_->{pid} == $$ && $_->remove for @clusters;
}

1;
