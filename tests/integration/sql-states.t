#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# The tables of docs/states.md, row by row: each state is brought about, the
# act done, and all that the row says compared.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Pappus::Calls qw(admin digest enroll issue quoted_id setup);
use Pappus::Cluster;
use Test::More;

binmode $_, ':utf8' for map { Test::More->builder->$_ }
    qw(output failure_output todo_output);
my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
$cluster->migrate;
my $db = $cluster->session;
$db->value(setup('{"name": "Project", "reissue_policy": "keep"}'));

my $DEVICE = quoted_id('dev', 1);
# In the order in which a device that has an identity gets them.
my @SERIAL = qw(0101 0102 0103);
my ($FINAL, $HELD, $VALID) = @SERIAL;
my $UNKNOWN = '0199';

my $text = Pappus::Cluster::slurp("$FindBin::Bin/../../docs/states.md");
utf8::decode($text);

# The rows of the table below a heading: hashes by the column's name.
sub table {
	my ($heading) = @_;
	my ($rows) = $text =~ /^## \Q$heading\E\n.*?^(\|.*?)\n\n/ms or die;
	my ($names, undef, @rows) = map { [split /\s*\|\s*/, s/^\|\s*//r] }
	    split /\n/, $rows;
	return map { my $row = $_;
		+{ map { $names->[$_] => $row->[$_] } 0 .. $#$names } } @rows;
}

sub outcome {
	my ($sql) = @_;
	return $1 if $db->value($sql) =~ /^(?:1\|)?(\w+)/;
	die $sql;
}

sub ok_for { my ($sql) = @_; outcome($sql) =~ /^(?:ok|enrolled|issued)$/ or die $sql }

sub revoke {
	my ($serial, $code) = @_;
	return admin('certificate_revoke', "'$serial'", "'x'", $code);
}

# One certificate that is valid, one that an operator holds, one revoked (3).
my %state = (
	enrolled => sub { ok_for(enroll({ token => 1 }, [1, 'SN-1'])) },
	active => sub {
		ok_for(enroll({ token => 1 }, [1, 'SN-1']));
		ok_for(issue({ serials => [$_] }, 1)) for @SERIAL;
		ok_for(revoke($FINAL, 3));
		ok_for(revoke($HELD, 6));
		ok_for(admin('project_update', quoted_id('proj', 1),
		    q('{"reissue_policy": "replace"}')));
	},
	unknown => sub { },
);
$state{denied} = sub {
	$state{active}->();
	ok_for(admin('device_deny', $DEVICE, "'x'"));
};
$state{revoked} = sub {
	$state{active}->();
	ok_for(admin('device_revoke', $DEVICE, "'x'", 1));
};
$state{deleted} = sub {
	$state{active}->();
	$db->value("UPDATE pappus.devices SET state = 'deleted',"
	    . ' external_id = NULL');
};
$state{'unknown, denied'} = sub { ok_for(admin('device_deny', $DEVICE, "'x'")) };
$state{'unknown, revoked'} =
    sub { ok_for(admin('device_revoke', $DEVICE, "'x'", 1)) };

my %act = (
	enroll => enroll({ token => 1 }, [2, 'SN-1']),
	identity => issue({}, 1),
	ca => "SELECT outcome FROM pappus.device_ca($DEVICE, ${\digest('d1')},"
	    . ' ARRAY[2]);',
	deny => admin('device_deny', $DEVICE, "'x'"),
	allow => admin('device_allow', $DEVICE, "'x'"),
	revoke => admin('device_revoke', $DEVICE, "'x'", 5),
	reset => admin('device_reset', $DEVICE, "'x'", digest('d2')),
);

sub device_state {
	return $db->value("SELECT CASE WHEN state = 'active' AND"
	    . " identity_issued_at IS NULL THEN 'enrolled' ELSE state END"
	    . " FROM pappus.devices WHERE device_id = $DEVICE")
	    || $db->value("SELECT 'unknown, ' || state FROM"
	    . " pappus.unknown_devices WHERE device_id = $DEVICE") || 'unknown';
}

sub token {
	return $db->value('SELECT CASE token_sha256 WHEN ' . digest('d1')
	    . " THEN 'same' WHEN " . digest('d2') . " THEN 'new' ELSE"
	    . " coalesce(token_sha256::text, 'dead') END FROM pappus.devices"
	    . " WHERE device_id = $DEVICE") || '–';
}

# In the words of the document; $code is the act's.
sub certificate {
	my ($serial, $code) = @_;
	my $how = $db->value("SELECT reason || ' ' || origin FROM"
	    . " pappus.revocations WHERE serial = '\\x$serial'");
	my %word = ('' => 'valid', '6 deny' => "deny's hold",
	    '6 operator' => "operator's hold", '4 reissue' => 'superseded',
	    '4 reset' => 'superseded', "$code revoke" => 'revoked',
	    "$code operator" => 'revoked', '3 operator' => 'revoked before');
	return $word{$how} // $how;
}

sub actions { return $db->value('SELECT count(*) FROM pappus.operator_actions') }

my %tried;
for my $row (table('Devices')) {
	my ($state, $act) = @$row{qw(state act)};
	$tried{$state}{$act}++;
	subtest "$state: $act" => sub {
		$db->value('BEGIN');
		($state{$state} // die "no such state: $state")->();
		my %is = %$row;
		is(device_state(), $state, 'it is so') or return;
		my $before = $db->value('SELECT jsonb_agg(r) FROM pappus.revocations r');
		my $actions = actions();
		$is{answer} = outcome($act{$act} // die "no such act: $act");
		$is{then} = device_state();
		$is{token} = token();
		my $column = $state eq 'denied' ? "deny's hold" : 'valid';
		if ($state eq 'active' || $state eq 'denied') {
			$is{$column} = certificate($VALID, 5);
			$is{"operator's hold"} = certificate($HELD, 5);
			is(certificate($FINAL, 5), 'revoked before',
			    'what is final stays as it is');
		} else {
			is($db->value('SELECT jsonb_agg(r) FROM pappus.revocations r'),
			    $before, 'certificates stay as they are');
		}
		$is{logged} = actions() > $actions ? 'yes' : 'no';
		is_deeply(\%is, $row, 'and comes out as documented')
		    or diag explain \%is;
		$db->value('ROLLBACK');
	};
}
for my $state (sort keys %state) {
	my @acts = grep { $state !~ /,/ || /^(?:deny|allow|revoke|reset)$/ }
	    sort keys %act;
	is_deeply([sort keys %{ $tried{$state} }], \@acts, "all acts on: $state");
}

my %certificate = (
	valid => sub { $state{active}->(); return $VALID },
	"deny's hold" => sub { $state{denied}->(); return $VALID },
	"operator's hold" => sub { $state{active}->(); return $HELD },
	'revoked before' => sub { $state{active}->(); return $FINAL },
	unknown => sub { return $UNKNOWN },
);
%tried = ();
for my $row (table('Certificates')) {
	my ($certificate, $act) = @$row{qw(certificate act)};
	$tried{$certificate}{$act}++;
	subtest "certificate, $certificate: $act" => sub {
		$db->value('BEGIN');
		my $serial = ($certificate{$certificate} // die)->();
		my %is = %$row;
		is(certificate($serial, 5), $certificate, 'it is so')
		    if $certificate ne 'unknown';
		my $actions = actions();
		$is{answer} = outcome(revoke($serial, $act eq 'hold' ? 6 : 5));
		$is{then} = certificate($serial, 5);
		$is{logged} = actions() > $actions ? 'yes' : 'no';
		is_deeply(\%is, $row, 'and comes out as documented')
		    or diag explain \%is;
		$db->value('ROLLBACK');
	};
}
is_deeply([map { join ' ', sort keys %{ $tried{$_} } } sort keys %certificate],
    [('hold revoke') x 5], 'both acts on each');

sub issuer_state {
	return $db->value("SELECT state || CASE WHEN revoked_at IS NULL THEN ''"
	    . " ELSE ', revoked' END FROM pappus.issuers WHERE issuer_id = 2");
}

sub revoke_issuer {
	my ($number) = @_;
	return "SELECT 'ok' FROM pappus.setup_root_crl('\\x01', $number, 0, 1,"
	    . " '\\x30', ARRAY['\\x02'::bytea]);";
}

sub set_issuer { return admin('issuer_update', 2, "'{\"state\": \"$_[0]\"}'") }

sub told { return $db->value("SELECT count(*) FROM pappus.changes WHERE kind ="
    . " 'issuer' AND issuer_id = 2") }

%tried = ();
for my $row (table('Issuers')) {
	my ($issuer, $act) = @$row{qw(issuer act)};
	my ($state, $revoked) = split /, /, $issuer;
	my ($verb, $to) = split / /, $act;
	$tried{$issuer}{$act}++;
	subtest "issuer, $issuer: $act" => sub {
		$db->value('BEGIN');
		ok_for(enroll({ token => 1 }, [1, 'SN-1']));
		$db->value(revoke_issuer(1)) if $revoked;
		ok_for(set_issuer($state)) if $state ne 'issuing';
		my %is = %$row;
		is(issuer_state(), $issuer, 'it is so') or return;
		my $told = told();
		$is{answer} = outcome($to ? set_issuer($to) : revoke_issuer(2));
		$is{then} = issuer_state();
		$is{told} = told() > $told ? 'yes' : 'no';
		$is{issues} = outcome(issue({}, 1)) eq 'issued' ? 'yes' : 'no';
		is_deeply(\%is, $row, 'and comes out as documented')
		    or diag explain \%is;
		$db->value('ROLLBACK');
	};
}
is_deeply([map { join ',', sort keys %{ $tried{$_} } } sort keys %tried],
    [('revoke,set closed,set crl-only,set issuing') x 5], 'all acts on each');

subtest 'reason codes' => sub {
	my %device = map { $_ => 1 } 0, 1, 3, 4, 5, 9;
	for my $code (-1 .. 11, 32768) {
		$db->value('BEGIN');
		$state{active}->();
		is(outcome(admin('device_revoke', $DEVICE, "'x'", $code)),
		    $device{$code} ? 'ok' : 'invalid', "device: $code");
		is(certificate($VALID, $code), $code == 4 ? '4 revoke' : 'revoked',
		    '... is what it is revoked with')
		    if $device{$code} && $code != 4;
		$db->value('ROLLBACK; BEGIN');
		is(outcome(revoke($UNKNOWN, $code)),
		    $device{$code} || $code == 6 ? 'ok' : 'invalid',
		    "certificate: $code");
		$db->value('ROLLBACK');
	}
	is(outcome(revoke($_, 1)), 'invalid', "no serial: $_")
	    for '', '0', '00', '0001', '80', 'ff00', '123', '01 2', 'xy', '01' x 21;
};

done_testing();
