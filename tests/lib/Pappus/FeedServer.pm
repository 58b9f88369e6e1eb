# SPDX-License-Identifier: ISC
# A host of the feed that can go wrong in each way: nginx for TLS, and behind it
# a server of our own that serves a folder as /feed/ until it is told otherwise.
#
#	my $host = Pappus::FeedServer->new($dir, $folder, "$base.crt", "$base.key");
#	$host->url;	# https://localhost:…/feed/
#	$host->fault('/state$' => 'status 500');
#	$host->fault;	# none any more
#
# Faults, by a pattern of the path: "status N", "redirect URL", "hang" (no
# answer), "stall" (half of it, then nothing), "cut" (half of it, then closed),
# "empty", "junk", "file PATH" (another file's octets), "half" (the first half,
# as if that was all), "append" (one octet more), "endless", "large N" (so many
# zeros).
package Pappus::FeedServer;
use strict;
use warnings;

use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Pappus::Test qw(slurp spew free_port wait_until);

my @all;

sub new
{
	my ($class, $dir, $folder, $certificate, $key) = @_;
	my $self = bless { dir => $dir, folder => $folder, owner => $$,
		port => free_port() }, $class;
	mkdir $dir or die "$dir: $!";
	push @all, $self;
	$self->fault;
	$self->{back} = $self->start_back;
	spew("$dir/nginx.conf", $self->configuration($certificate, $key));
	$self->up;
	return $self;
}

sub url { return "https://localhost:$_[0]{port}/feed/" }
sub port { return $_[0]{port} }

sub configuration
{
	my ($self, $certificate, $key) = @_;
	my $user = $> == 0 ? 'user root;' : '';
	my $temp = join '', map { "${_}_temp_path $self->{dir}/$_;\n" }
	    qw(client_body proxy fastcgi uwsgi scgi);
	return <<"END";
$user
daemon off;
worker_processes 1;
pid $self->{dir}/nginx.pid;
error_log $self->{dir}/nginx.log;
events { worker_connections 512; }
http {
	log_format it '\$connection \$connection_requests \$uri';
	access_log $self->{dir}/access it;
	$temp
	server {
		listen 127.0.0.1:$self->{port} ssl;
		server_name localhost;
		ssl_certificate $certificate;
		ssl_certificate_key $key;
		location / {
			proxy_pass http://unix:$self->{dir}/back;
			proxy_buffering off;
			proxy_read_timeout 1h;
		}
	}
}
END
}

sub up
{
	my ($self) = @_;
	$self->{nginx} = fork // die "fork: $!";
	if ($self->{nginx} == 0) {
		open STDERR, '>>', "$self->{dir}/nginx.log";
		exec '/usr/sbin/nginx', '-c', "$self->{dir}/nginx.conf", '-p',
		    $self->{dir};
	}
	wait_until(20, sub { IO::Socket::INET->new("127.0.0.1:$self->{port}") })
	    or die "nginx doesn't start: ", slurp("$self->{dir}/nginx.log");
	return;
}

# The most requests that came over one connection.
sub most_at_once
{
	my ($self) = @_;
	my ($most) = sort { $b <=> $a } slurp("$self->{dir}/access")
	    =~ /^\d+ (\d+) /mg;
	return $most;
}

# Nobody listens any more.
sub down
{
	my ($self) = @_;
	my $pid = delete $self->{nginx} or return;
	kill 'TERM', $pid;
	waitpid $pid, 0;
	return;
}

# From now on these go wrong: pattern => what.
sub fault
{
	my ($self, @faults) = @_;
	my $text = '';
	while (my ($pattern, $what) = splice @faults, 0, 2) {
		$text .= "$pattern\t$what\n";
	}
	spew("$self->{dir}/faults.new", $text);
	rename "$self->{dir}/faults.new", "$self->{dir}/faults" or die "rename: $!";
	return;
}

# ------------------------------------------------------ the server behind

sub start_back
{
	my ($self) = @_;
	my $listener = IO::Socket::UNIX->new(Local => "$self->{dir}/back",
	    Listen => 100) or die "back: $!";
	my $pid = fork // die "fork: $!";
	return $pid if $pid != 0;
	$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
	$SIG{CHLD} = 'IGNORE';
	setpgrp;
	while (1) {
		my $client = $listener->accept or next;
		my $child = fork // next;
		if ($child == 0) {
			alarm 600;
			$self->answer($client);
			close $client;
			POSIX::_exit(0);
		}
		close $client;
	}
}

sub answer
{
	my ($self, $client) = @_;
	local $/ = "\r\n\r\n";
	my $head = <$client> // return;
	my ($path) = $head =~ m{\A\w+ /feed(/[\w.-]+) } or return;
	my $what = '';
	for (split /\n/, slurp("$self->{dir}/faults")) {
		my ($pattern, $fault) = split /\t/;
		$what = $fault if $path =~ $pattern && $what eq '';
	}
	my ($verb, $argument) = split / /, $what, 2;
	my $file = "$self->{folder}$path";
	$file = $argument if ($verb // '') eq 'file';
	my $body = -f $file ? slurp($file) : undef;
	return act($client, $verb // '', $argument, $body);
}

sub head
{
	my ($client, $status, @lines) = @_;
	print $client join "\r\n", "HTTP/1.0 $status X",
	    'Content-Type: application/octet-stream', @lines, '', '';
	return;
}

sub whole
{
	my ($client, $body) = @_;
	head($client, 200, 'Content-Length: ' . length $body);
	print $client $body;
	return;
}

sub part
{
	my ($client, $body) = @_;
	head($client, 200, 'Content-Length: ' . length $body);
	print $client substr $body, 0, length($body) / 2;
	$client->flush;
	return;
}

sub act
{
	my ($client, $verb, $argument, $body) = @_;
	my %on = (
		status => sub { head($client, $argument, 'Content-Length: 0') },
		redirect => sub { head($client, 302, "Location: $argument",
			'Content-Length: 0') },
		hang => sub { sleep 600 },
		stall => sub { part($client, $body); sleep 600 },
		cut => sub { part($client, $body) },
		empty => sub { whole($client, '') },
		junk => sub { whole($client, "<html>It works!</html>\n") },
		half => sub { whole($client, substr $body, 0, length($body) / 2) },
		append => sub { whole($client, "$body\n") },
		large => sub { head($client, 200, "Content-Length: $argument");
			print $client "\0" x 65536 for 1 .. 100 },
		endless => sub { head($client, 200);
			1 while print $client "\0" x 65536 },
	);
	return $on{$verb}->() if $on{$verb};
	return defined $body ? whole($client, $body)
	    : head($client, 404, 'Content-Length: 0');
}

sub end
{
	my ($self) = @_;
	$self->down;
	my $pid = delete $self->{back} or return;
	kill 'KILL', -$pid;
	waitpid $pid, 0;
	return;
}

END {
	local $?;
	$_->{owner} == $$ && $_->end for @all;
}

1;
