# SPDX-License-Identifier: ISC
# One connection to PostgreSQL, held open by a psql of its own: for tests in
# which several sessions do things at once.
#
#   $session->start($sql);		# doesn't wait
#   my $busy = !$session->done(0.3);	# still at it after 0.3 s?
#   my ($output, $errors) = $session->finish;
package Pappus::Session;
use strict;
use warnings;
use Carp qw(croak);
use IO::Select;
use IPC::Open3 qw(open3);
use Symbol qw(gensym);
use Time::HiRes qw(time);

my $LIMIT = 60;		# seconds; a test that waits longer has failed

sub new {
	my ($class, $conninfo, %option) = @_;
	my $psql = $option{bin} ? "$option{bin}/psql" : 'psql';
	my $err = gensym;
	local $ENV{PGOPTIONS} = $option{options} // '';
	my $pid = open3(my $in, my $out, $err, $psql, '-X', '-q', '-A', '-t',
	    '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never', '-d', $conninfo);
	binmode $_, ':utf8' for $in, $out, $err;
	$in->autoflush(1);
	return bless { pid => $pid, in => $in, out => $out, err => $err,
	    output => '', errors => '', number => 0 }, $class;
}

# start(sql): sends it; the answer is for done and finish.
sub start {
	my ($self, $sql) = @_;
	$self->{number}++;
	$self->{output} = $self->{errors} = '';
	local $SIG{PIPE} = 'IGNORE';
	my $mark = "--end-$self->{number}--";
	print { $self->{in} } "$sql\n;\n\\echo $mark\n\\warn $mark\n";
	return $self;
}

# done(seconds): whether the answer is there after at most so long.
sub done {
	my ($self, $seconds) = @_;
	my $until = time + $seconds;
	my $mark = "--end-$self->{number}--\n";
	my $select = IO::Select->new($self->{out}, $self->{err});
	while ($self->{output} !~ /^\Q$mark\E\z/m
	    || $self->{errors} !~ /^\Q$mark\E\z/m) {
		my $left = $until - time;
		return 0 if $left <= 0;
		for my $handle ($select->can_read($left)) {
			my $name = $handle == $self->{out} ? 'output' : 'errors';
			my $got = sysread_utf8($handle, \$self->{$name});
			return 1 if !$got;	# psql has ended
		}
	}
	return 1;
}

sub sysread_utf8 {
	my ($handle, $into) = @_;
	binmode $handle, ':bytes';
	return sysread $handle, $$into, 65536, length $$into;
}

# finish: waits for the answer; (what was printed, what was complained of).
sub finish {
	my ($self) = @_;
	$self->done($LIMIT) or croak "no answer within $LIMIT s";
	my $mark = "--end-$self->{number}--\n";
	my ($output, $errors) = @$self{qw(output errors)};
	s/^\Q$mark\E\z//m for $output, $errors;
	s/^psql:.*?: (?=ERROR|FATAL|WARNING|NOTICE|error)//mg for $errors;
	chomp $output;
	return ($output, $errors);
}

sub run {
	my ($self, $sql) = @_;
	return $self->start($sql)->finish;
}

# value(sql): what it prints; dies when the server complains.
sub value {
	my ($self, $sql) = @_;
	my ($output, $errors) = $self->run($sql);
	croak $errors if $errors =~ /ERROR|FATAL|PANIC/;
	return $output;
}

sub close {
	my ($self) = @_;
	return if !$self->{pid};
	close $self->{in};
	waitpid $self->{pid}, 0;
	$self->{pid} = 0;
	return;
}

sub DESTROY {
	my ($self) = @_;
	local ($?, $!);
	$self->close;
	return;
}

1;
