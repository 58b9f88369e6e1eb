# SPDX-License-Identifier: ISC
# One more sub-CA for devices in a stack that runs: made, registered, and its
# key given to identity, each a step of its own.
#
#	my $ca = Pappus::SubCA->new($stack, 'Second');
#	$ca->give_key;
#	$ca->register;
#	$stack->admin('PATCH', "/projects/$project",
#	    document => { device_issuer_id => $ca->id });
package Pappus::SubCA;
use strict;
use warnings;

use Pappus::Test qw(slurp spew);

# Made by the stack's root.
sub new
{
	my ($class, $stack, $name) = @_;
	my $dir = $stack->tmp . '/ca-' . lc $name =~ s/\W+/-/gr;
	my $url = $stack->setting('PUBLIC_URL');
	my $self = bless { stack => $stack, name => $name, dir => $dir }, $class;
	my $root = $stack->dir . '/root';
	mkdir $dir, 0700 or die "$dir: $!";
	run("$ENV{PAPPUS_BUILDDIR}/pappus-ca", @$_) for
	    ['request', '--dir', $dir, '--name', $name, '--org', 'Pappus'],
	    ['sign', '--dir', $root, '--request', "$dir/ca.csr", '--purpose',
		'device', '--out', "$dir.crt"],
	    ['install', '--dir', $dir, '--cert', "$dir.crt", '--root',
		"$root/root.crt", '--crl-url', "$url/crl/$name.crl", '--ca-url',
		"$url/ca/$name.cer"];
	return $self;
}

# The one that the stack was made with.
sub first
{
	my ($class, $stack) = @_;
	my ($id, $name) = split /\|/, $stack->psql('postgres',
	    "SELECT min(issuer_id), min(name) FROM pappus.issuers WHERE"
	    . " purpose = 'device'");
	return bless { stack => $stack, name => $name, id => $id,
		dir => $stack->dir . '/ca/device' }, $class;
}

sub run
{
	my ($status, $out, $err) = Pappus::Test::run_command('', @_);
	die "@_: $out$err" if $status != 0;
	return $out;
}

sub name { return $_[0]{name} }
# A number, for JSON.
sub id { return 0 + $_[0]{id} }

# The sub-CA's certificate and the root's, as devices get them.
sub chain
{
	my ($self) = @_;
	return join '', map { slurp("$self->{dir}/$_.crt") } qw(ca root);
}

# Options: what else pappus issuer register is told.
sub register
{
	my ($self, @option) = @_;
	my $stack = $self->{stack};
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	run("$ENV{PAPPUS_BUILDDIR}/pappus", 'issuer', 'register', '--dir',
	    $self->{dir}, @option);
	$self->{id} = $stack->psql('postgres',
	    "SELECT issuer_id FROM pappus.issuers WHERE name = '$self->{name}'");
	return $self->id;
}

# Its key where identity looks for keys, there at once and whole.
sub give_key
{
	my ($self) = @_;
	my $keys = $self->{stack}->run . '/identity/keys';
	my $file = "$keys/" . $self->{name} =~ s/\W+/-/gr;
	spew("$file.new", slurp("$self->{dir}/ca.key"));
	my ($uid, $gid) = (stat $keys)[4, 5];
	chown $uid, $gid, "$file.new";
	rename "$file.new", "$file.key" or die "$file.key: $!";
	$self->{key} = "$file.key";
	return;
}

sub take_key
{
	my ($self) = @_;
	unlink $self->{key} or die "$self->{key}: $!";
	return;
}

1;
