# SPDX-License-Identifier: ISC
# pappus-crld and time: CRLs that are made anew, certificates that end, clocks
# that are wrong, and the year 2050 (libfaketime).
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Time::Local qw(timegm);
use Pappus::Crld;
use Pappus::Feed;
use Pappus::Test qw(slurp wait_until);

plan skip_all => 'libfaketime is not here (apt-get install faketime)'
    if !glob '/usr/lib/*/faketime/libfaketimeMT.so.1';

my $stack = Pappus::Test->start(workers => 1);
my $issuer = $stack->psql('postgres',
    "SELECT issuer_id FROM pappus.issuers WHERE purpose = 'device'");

sub sql { return $stack->psql('postgres', "@_") }
sub padded { return '0' x (40 - length $_[0]) . $_[0] }

# A certificate of the device sub-CA that is revoked, with its end.
sub revoked
{
	my ($serial, $end, %option) = @_;
	my $at = $option{at} // 'now()';
	sql("INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason,"
		. " revoked_at, actor, origin) VALUES ('\\x$serial', $issuer, $end,"
		. " 1, $at, 'test', 'operator')");
	return;
}

# Unix seconds of "Nov 25 11:09:14 2026 GMT".
sub seconds
{
	my ($month, $day, $h, $m, $s, $year) =
	    $_[0] =~ /(\w+) +(\d+) (\d+):(\d+):(\d+) (\d+) GMT/ or die "$_[0]\n";
	my $number = index('JanFebMarAprMayJunJulAugSepOctNovDec', $month) / 3;
	return timegm($s, $m, $h, $day, $number, $year);
}

sub comes
{
	my ($crld, $name, $code, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until($seconds // 20, $code), $name) or diag($crld->tail);
}

my $crld = Pappus::Crld->new($stack, 'a');

subtest 'made anew on its own' => sub {
	local $crld->{env} = { PAPPUS_REBUILD_SECONDS => 2 };
	$crld->start;
	comes($crld, 'it has begun', sub { $crld->denied && $crld->crl('device')
		&& $crld->crl('server') });
	my %number = map { $_ => $crld->crl($_)->{number} } qw(device server);
	my $base = $crld->denied->{base};
	comes($crld, "$_: a new one without any change", sub {
		$crld->crl($_)->{number} > $number{$_} + 3000 })
	    for qw(device server);
	comes($crld, 'and a new base', sub { $crld->denied->{base} ne $base });
	my $crl = $crld->crl('device');
	my $now = time;
	my ($from, $to) = map { seconds($_) } @$crl{qw(this next)};
	is($to - $from, 7 * 86400 + 60, 'seven days, back-dated a minute');
	cmp_ok(abs($now - 60 - $from), '<', 10, 'from a minute ago');
	# A row that no trigger saw, as of an older dump: found by a rebuild.
	sql("SET session_replication_role = replica; INSERT INTO"
		. " pappus.revocations (serial, issuer_id, not_after, reason,"
		. " actor, origin) VALUES ('\\x0a0b', $issuer, now() + interval"
		. " '1 year', 1, 'test', 'operator')");
	comes($crld, 'what went by the changes is found in the database', sub {
		$crld->crl('device')->{revoked}{'0a0b'}
		    && $crld->denied->{serials}{padded('0a0b')} });
	comes($crld, 'and said to be odd', sub { $crld->events('lists-differed') });
	is($crld->stop, 0, 'it ends');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'certificates that end' => sub {
	revoked('0c01', "now() + interval '12 hours'");
	revoked('0c02', "now() + interval '36 hours'");
	revoked('0c03', "now() + interval '3 years'");
	# Revoked when it had ended already, so that no list needs it.
	$crld->start;
	comes($crld, 'all are listed', sub { 3 == grep {
		$crld->crl('device')->{revoked}{$_} } qw(0c01 0c02 0c03) });
	is($crld->stop, 0, 'it ends');
	my $number = $crld->crl('device')->{number};
	$crld->start(at => '+1d');
	comes($crld, 'a day later there is another',
	    sub { $crld->crl('device')->{number} > $number });
	ok($crld->crl('device')->{revoked}{'0c01'},
	    'the first list after its end has it yet');
	$number = $crld->crl('device')->{number};
	revoked('0c04', "now() + interval '3 years'");
	comes($crld, 'and the next',
	    sub { $crld->crl('device')->{revoked}{'0c04'} });
	ok(!$crld->crl('device')->{revoked}{'0c01'}, 'has it no longer');
	ok($crld->crl('device')->{revoked}{$_}, "but $_") for qw(0c02 0c03 0a0b);
	is($crld->alarm('crls'), 0, 'without an alarm');
	is($crld->stop, 0, 'it ends');
	# A follower that comes later makes the same one.
	my $other = Pappus::Crld->new($stack, 'other');
	$crld->start(at => '+1d');
	comes($crld, 'it leads again', sub { $crld->crl('device')->{number} > $number
		&& ($crld->metric('crld_leader') // 0) });
	$other->start(at => '+1d');
	comes($other, 'another makes the same', sub {
		-e $other->file('crl/device.crl')
		    && slurp($other->file('crl/device.crl'))
		    eq slurp($crld->file('crl/device.crl')) });
	ok(!$other->denied->{serials}{padded('0c01')}, 'and has a base without it')
	    if ok(wait_until(10, sub { $other->denied }), 'and a feed');
	is($_->stop, 0, 'it ends') for $other, $crld;
	$crld->start(at => '+2d');
	comes($crld, 'two days later the second is listed', sub {
		$crld->crl('device')->{number} > $number
		    && $crld->crl('device')->{revoked}{'0c02'} });
	revoked('0c05', "now() + interval '3 years'");
	comes($crld, 'and then goes', sub { $crld->crl('device')->{revoked}{'0c05'}
		&& !$crld->crl('device')->{revoked}{'0c02'} });
	is($crld->stop, 0, 'it ends');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'a host that was away' => sub {
	# Its lists have ended, and what it had listed has gone since.
	my $away = Pappus::Crld->new($stack, 'away');
	revoked('0d01', "now() + interval '5 days'");
	$away->start(at => '+2d');
	comes($away, 'it had that', sub { $away->crl('device')
		&& $away->crl('device')->{revoked}{'0d01'} });
	is($away->stop, 0, 'and went');
	$crld->start(at => '+10d');
	comes($crld, 'others go on', sub {
		($crld->metric('crld_leader') // 0) && $crld->events('crl') > 1 });
	revoked('0d02', "now() + interval '3 years'");
	comes($crld, 'the entry goes', sub { $crld->crl('device')->{revoked}{'0d02'}
		&& !$crld->crl('device')->{revoked}{'0d01'} });
	is($crld->stop, 0, 'they go');
	$away->start(at => '+10d');
	comes($away, 'it leads by now', sub { $away->crl('device')->{revoked}{'0d02'} });
	ok(!$away->crl('device')->{revoked}{'0d01'},
	    'and takes the entry for ended, not for lost');
	my $next = seconds($away->crl('device')->{next});
	cmp_ok($next, '>', time + 16 * 86400, 'good for a week from then');
	is($away->alarm('crls') // 0, 0, 'without an alarm');
	is($away->stop, 0, 'it ends');
};

subtest 'from 2050 on' => sub {
	revoked('0e01', "'2055-01-01'", at => "'2051-02-03 04:05:06+00'");
	revoked('0e02', "'2055-01-01'", at => "'2049-12-31 23:59:59+00'");
	my $number = $crld->crl('device')->{number};
	$crld->start(at => '@2050-01-02 00:00:00');
	comes($crld, 'there is another', sub {
		$crld->crl('device')->{number} > $number
		    && $crld->crl('device')->{revoked}{'0e01'} });
	my $crl = $crld->crl('device');
	like($crl->{this}, qr/ 2050 GMT/, 'of that year');
	like($crl->{text}, qr/0E01\n\s+Revocation Date: Feb  3 04:05:06 2051 GMT/,
	    'with times of that year');
	my (undef, $parsed) = Pappus::Test::run_command('', 'openssl', 'asn1parse',
	    '-inform', 'DER', '-in', $crld->file('crl/device.crl'));
	my @times = $parsed =~ /(UTCTIME|GENERALIZEDTIME) +:(\S+)/g;
	my %form = reverse @times;
	is($form{'20510203040506Z'}, 'GENERALIZEDTIME', 'GeneralizedTime from 2050');
	is($form{'491231235959Z'}, 'UTCTIME', 'UTCTime until 2049');
	is_deeply([grep { $form{$_} eq 'UTCTIME' && $_ !~ /^\d{12}Z\z/
		|| $form{$_} eq 'GENERALIZEDTIME' && $_ !~ /^20[5-9]\d{11}Z\z/ }
		sort keys %form], [], 'in every place');
	my ($status) = Pappus::Test::run_command('', 'openssl', 'crl', '-inform',
	    'DER', '-in', $crld->file('crl/device.crl'), '-noout', '-CAfile',
	    $crld->certificate('device'));
	is($status, 0, 'it verifies');
	# A second one: by that clock nearly all have ended.
	revoked('0e03', "'2055-01-01'");
	comes($crld, 'the next leaves out what has ended', sub {
		$crld->crl('device')->{revoked}{'0e03'}
		    && !$crld->crl('device')->{revoked}{'0c03'} });
	is($crld->stop, 0, 'it ends');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'a clock that was wrong' => sub {
	my $number = $crld->crl('device')->{number};
	my $state = Pappus::Feed::state($crld->file('feed'));
	$crld->start;
	comes($crld, 'right again', sub { $crld->crl('device')->{number} > $number });
	comes($crld, 'what had not ended is back', sub { 2 == grep {
		$crld->crl('device')->{revoked}{$_} } qw(0c03 0e01) });
	comes($crld, 'in the feed, too', sub {
		$crld->denied->{serials}{padded('0c03')} });
	like($crld->crl('device')->{this}, qr/ \Q@{[1900 + (gmtime)[5]]}\E GMT/,
	    'its time is the present one');
	cmp_ok(Pappus::Feed::state($crld->file('feed'))->{sequence}, '>=',
	    $state->{sequence}, 'no number fell');
	is($crld->alarm('crls') // 0, 0, 'without an alarm');
	is($crld->stop, 0, 'it ends');
	is_deeply([$crld->faults], [], 'all verifies');
};

done_testing;
