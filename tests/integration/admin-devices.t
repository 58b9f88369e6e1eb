# SPDX-License-Identifier: ISC
# What operators do with projects, devices, certificates and CAs, over HTTP:
# docs/states.md row by row, changes of projects, searches in pages, and the
# record of each act.
use strict;
use warnings;
use utf8;
use Digest::SHA qw(sha256_hex);
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP qw(decode_json);
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(is_problem serial_of);
use Pappus::SubCA;
use Pappus::Test qw(slurp);

binmode $_, ':utf8' for map { Test::More->builder->$_ }
    qw(output failure_output todo_output);

my $stack = Pappus::Test->start(workers => 1);
my $time = qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
my $actor = 'atk_' . substr $stack->{admin_token}, 3, 26;
my $nowhere = 'proj_' . '0' x 26;

sub sql { return $stack->psql('postgres', "@_") }
sub get { return $stack->admin('GET', @_) }
sub post { return $stack->admin('POST', $_[0], document => $_[1]) }
sub patch { return $stack->admin('PATCH', $_[0], document => $_[1]) }

sub identity { return $stack->identity($_[0]{token}) }
sub serial { return serial_of($_[0]{json}{device_certificate_pem} // '') }

# An id or serial that nothing has yet.
my $number = 0;
sub unknown_device { return sprintf 'dev_%026d', ++$number }
sub unknown_serial { return sprintf '7f%038d', ++$number }

# What an answer's request has left in the log of acts, one hash a row.
sub acts
{
	my ($answer) = @_;
	return map { decode_json($_) } split /\n/, sql(
	    "SELECT to_jsonb(a) FROM pappus.operator_actions a WHERE request_id ="
	    . " '$answer->{headers}{'x-request-id'}[0]'");
}

# Exactly one act, by the stack's operator, with these columns.
sub is_recorded
{
	my ($name, $answer, %column) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @acts = acts($answer);
	is(scalar @acts, 1, "$name: one act is recorded") or return {};
	my %want = (actor => $actor, address => '127.0.0.1',
		database_role => 'pappus_admin', %column);
	is_deeply({ map { $_ => $acts[0]{$_} } keys %want }, \%want,
	    "$name: who, what, why");
	return $acts[0];
}

# --------------------------------------------------------- docs/states.md

my $states = decode_utf8(slurp('docs/states.md'));

# The rows of the table below a heading: hashes by the column's name.
sub table
{
	my ($heading) = @_;
	my ($rows) = $states =~ /^## \Q$heading\E\n.*?^(\|.*?)\n(?:\n|\z)/ms
	    or die "no table $heading\n";
	my ($names, undef, @rows) = map { [split /\s*\|\s*/, s/^\|\s*//r] }
	    split /\n/, $rows;
	return map { my $row = $_;
		+{ map { $names->[$_] => $row->[$_] } 0 .. $#$names } } @rows;
}

# What clients see: answer => {device => [status, kind], operator => …}.
my %seen;
for my $row (table('What clients see')) {
	for my $who (qw(device operator)) {
		my ($status, $kind) =
		    ($row->{$who} // '') =~ /^(\d+)[^`]*(?:`(.*)`)?/ or next;
		$seen{$_}{$who} = [$status, $kind] for split /, /, $row->{answer};
	}
}
my %kind = (401 => 'invalid-token', 404 => 'not-found', 409 => 'conflict');

sub is_seen
{
	my ($name, $answer, $outcome, $who) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $kind) = @{$seen{$outcome}{$who} // ['undocumented']};
	return is($answer->{status}, $status, "$name: $outcome")
	    || diag($answer->{body}) if $status eq 'undocumented' || $status < 300;
	return is_problem("$name: $outcome", $answer, $status,
	    $kind // $kind{$status});
}

my $project = $stack->project('states');
my $token = $stack->enrollment_token($project);

# A device in a state, with a certificate of each kind that the row names:
# {id, token, external_id, serials => {kind => serial}}.
sub in_state
{
	my ($row) = @_;
	my $state = $row->{state};
	my %device = (external_id => 'SN-' . ++$number, serials => {});
	if ($state =~ /^unknown/) {
		$device{id} = unknown_device();
		$device{token} = Pappus::Check::forged('dt_' . substr $device{id}, 4);
		post("/devices/$device{id}/deny", { reason => 'before' })
		    if $state =~ /denied/;
		post("/devices/$device{id}/revoke", { reason => 'before' })
		    if $state =~ /revoked/;
		return \%device;
	}
	my $json = $stack->enroll($token,
	    external_id => $device{external_id})->{json};
	@device{qw(id token)} = @$json{qw(device_id device_token)};
	return \%device if $state eq 'enrolled';
	patch("/projects/$project", { reissue_policy => 'keep' });
	my ($held, $valid) = map { serial(identity(\%device)) } 1, 2;
	patch("/projects/$project", { reissue_policy => 'replace' });
	$device{serials}{'operator\'s hold'} = $held;
	$device{serials}{$state eq 'denied' ? 'deny\'s hold' : 'valid'} = $valid;
	post("/certificates/$held/revoke", { reason => 'odd', reason_code => 6 });
	post("/devices/$device{id}/deny", { reason => 'before' })
	    if $state eq 'denied';
	post("/devices/$device{id}/revoke", { reason => 'before' })
	    if $state eq 'revoked';
	sql("UPDATE pappus.devices SET state = 'deleted', external_id = NULL"
	    . " WHERE device_id = '$device{id}'") if $state eq 'deleted';
	return \%device;
}

# The state of a device in the table's words.
sub state_of
{
	my ($device) = @_;
	my $shown = get("/devices/$device->{id}");
	return 'unknown' if $shown->{status} == 404;
	my $json = $shown->{json};
	return ($json->{state} eq 'active' ? 'unknown' : "unknown, $json->{state}")
	    if !defined $json->{project_id};
	return $json->{state} eq 'active' && !defined $json->{identity_issued_at}
	    ? 'enrolled' : $json->{state};
}

# What has become of a certificate in the table's words.
sub certificate_state
{
	my ($serial) = @_;
	my ($reason, $origin) = split /\|/, sql('SELECT reason, origin FROM'
	    . " pappus.revocations WHERE serial = '\\x$serial'");
	return !defined $reason ? 'valid'
	    : $reason == 6 ? ($origin eq 'deny' ? 'deny\'s hold' : 'operator\'s hold')
	    : $reason == 4 ? 'superseded' : 'revoked';
}

my %ask = (
	enroll => sub { $stack->enroll($token,
		external_id => $_[0]{external_id}) },
	identity => sub { identity($_[0]) },
	ca => sub { $stack->http('GET', '/ca',
		headers => ["Authorization: Bearer $_[0]{token}"]) },
	(map { my $act = $_; ($act => sub {
		post("/devices/$_[0]{id}/$act", { reason => "to $act" }) }) }
	    qw(deny allow revoke reset)),
);

subtest 'states of devices' => sub {
	my @rows = table('Devices');
	cmp_ok(scalar @rows, '>', 40, 'there are rows');
	for my $row (@rows) {
		my ($state, $act) = @$row{qw(state act)};
		my $name = "$state: $act";
		my $device = in_state($row);
		my $before = get("/devices/$device->{id}")->{json};
		my $answer = $ask{$act}->($device);
		my $is_act = $act =~ /^(?:deny|allow|revoke|reset)$/;
		is_seen($name, $answer, $row->{answer},
		    $is_act ? 'operator' : 'device');
		is(state_of($device), $row->{then}, "$name: then");
		for my $kind (sort keys %{$device->{serials}}) {
			next if ($row->{$kind} // '–') eq '–';
			is(certificate_state($device->{serials}{$kind}), $row->{$kind},
			    "$name: what was $kind");
		}
		my $own = $answer->{json}{device_token};
		is($ask{ca}->($device)->{status} == 401 ? 'dead' : 'alive', 'dead',
		    "$name: the token before is dead")
		    if $row->{token} =~ /^(?:new|dead)$/;
		isnt($ask{ca}->({ token => $own })->{status}, 401,
		    "$name: and its successor good") if $row->{token} eq 'new';
		if ($row->{logged} eq 'no') {
			is(scalar(acts($answer)), 0, "$name: no act is recorded");
			next;
		}
		my $recorded = is_recorded($name, $answer,
		    action => "device.$act", object_id => $device->{id},
		    project_id => $before->{project_id}, reason => "to $act");
		my ($was) = $state =~ /(\w+)$/;
		is($recorded->{before}{state},
		    $was =~ /^(?:enrolled|unknown)$/ ? 'active' : $was,
		    "$name: what it was");
		is_deeply($recorded->{after}, get("/devices/$device->{id}")->{json},
		    "$name: and is now") if $row->{then} ne 'unknown';
	}
};

subtest 'states of certificates' => sub {
	my $acts = { hold => { reason => 'to hold', reason_code => 6 },
		revoke => { reason => 'to revoke', reason_code => 1 } };
	for my $row (table('Certificates')) {
		my ($state, $act) = @$row{qw(certificate act)};
		my $name = "$state: $act";
		my $device = in_state({ state => $state eq 'deny\'s hold'
			? 'denied' : 'active' });
		my $serial = $device->{serials}{$state} // unknown_serial();
		if ($state eq 'revoked before') {
			$serial = $device->{serials}{valid};
			post("/certificates/$serial/revoke",
			    { reason => 'before', reason_code => 5 });
		}
		my $before = certificate_state($serial);
		my $answer = post("/certificates/$serial/revoke", $acts->{$act});
		is_seen($name, $answer, $row->{answer}, 'operator');
		if ($row->{then} eq 'revoked before') {
			is(get("/certificates/$serial")->{json}{reason}, 5,
			    "$name: what is final stays");
		} else {
			is(certificate_state($serial), $row->{then}, "$name: then");
		}
		if ($row->{logged} eq 'no') {
			is(scalar(acts($answer)), 0, "$name: no act is recorded");
		} else {
			my $recorded = is_recorded($name, $answer, action =>
			    'certificate.revoke', object_id => $serial, reason =>
			    $acts->{$act}{reason});
			is_deeply($recorded->{after}, $answer->{json},
			    "$name: what it is now");
		}
	}
};

# ------------------------------------------------------------------ projects

subtest 'changes of projects' => sub {
	my $made = post('/projects', { name => 'before' })->{json};
	my $path = "/projects/$made->{project_id}";
	my $device_ca = Pappus::SubCA->first($stack)->id;
	my %project = %$made;
	for my $change (['name', 'after „dem Umbau“'], ['state', 'disabled'],
	    ['state', 'active'], ['reissue_policy', 'keep'],
	    ['reissue_policy', 'once'], ['reissue_policy', 'replace'],
	    ['device_limit', 1], ['device_limit', 2147483647],
	    ['device_limit', undef], ['issue_limit', 1], ['issue_limit', 1000],
	    ['device_issuer_id', $device_ca], ['device_issuer_id', undef]) {
		my ($member, $value) = @$change;
		my $name = "$member: " . ($value // 'null');
		my $answer = patch($path, { $member => $value });
		is($answer->{status}, 200, $name) or diag($answer->{body});
		my %before = %project;
		$project{$member} = $value;
		is_deeply($answer->{json}, \%project, "$name: that alone");
		is_deeply(get($path)->{json}, \%project, "$name: and it stays");
		my $act = is_recorded($name, $answer, action => 'project.update',
		    object_id => $made->{project_id},
		    project_id => $made->{project_id}, reason => undef);
		is_deeply([@$act{qw(before after)}], [\%before, \%project],
		    "$name: before and after");
		my $again = patch($path, { $member => $value });
		is($again->{status}, 200, "$name: again");
		is(scalar(acts($again)), 0, 'is no act');
	}
	my $all = patch($path, { name => 'all', state => 'disabled',
		reissue_policy => 'keep', device_limit => 7, issue_limit => 8,
		device_issuer_id => $device_ca });
	is_deeply($all->{json}, { %project, name => 'all', state => 'disabled',
		reissue_policy => 'keep', device_limit => 7, issue_limit => 8,
		device_issuer_id => $device_ca }, 'all at once');
	is_deeply(patch($path, {})->{json}, $all->{json}, 'and nothing at all');
	is_problem("device_issuer_id: $$_[0]", patch($path,
		{ device_issuer_id => 0 + $$_[1] }), 400, 'bad-request') for
	    ['unknown', 2147483647], ['a root', sql('SELECT min(issuer_id) FROM'
		. " pappus.issuers WHERE purpose = 'root'")],
	    ['one for servers', sql('SELECT min(issuer_id) FROM pappus.issuers'
		. " WHERE purpose = 'server'")];
	is_problem('one wrong member spoils all', patch($path,
		{ name => 'x', state => 'gone' }), 400, 'bad-request');
	is_deeply(get($path)->{json}, $all->{json}, 'nothing was changed');
	is_problem("no such project: $_", patch("/projects/$_", { name => 'x' }),
	    404, 'not-found') for $nowhere, 'x', uc $made->{project_id};

	my $created = post('/projects', { name => 'made so', state => 'disabled',
		reissue_policy => 'once', device_limit => 3, issue_limit => 4,
		device_issuer_id => $device_ca });
	is($created->{status}, 201, 'a new one may have them all');
	is_deeply({ map { $_ => $created->{json}{$_} } qw(name state reissue_policy
		device_limit issue_limit device_issuer_id) }, { name => 'made so',
		state => 'disabled', reissue_policy => 'once', device_limit => 3,
		issue_limit => 4, device_issuer_id => $device_ca }, 'as it was told');
	is_recorded('a new one', $created, action => 'project.create',
	    object_id => $created->{json}{project_id}, before => undef,
	    after => $created->{json});
};

subtest 'a disabled project' => sub {
	my $token = $stack->enrollment_token(my $project = $stack->project);
	my $json = $stack->enroll($token)->{json};
	my $device = { id => $json->{device_id}, token => $json->{device_token} };
	identity($device);
	patch("/projects/$project", { state => 'disabled' });
	is_problem('takes nobody', $stack->enroll($token), 403, 'project-disabled');
	is_problem('issues nothing', identity($device), 403, 'project-disabled');
	is($ask{ca}->($device)->{status}, 200, 'tells whom to trust');
	is(get("/devices/$device->{id}")->{json}{certificates}[0]{status}, 'valid',
	    'takes nothing back');
	is_problem('nor with a new token',
	    $stack->enroll(my $new = $stack->enrollment_token($project)), 403,
	    'project-disabled');
	is($ask{$_}->($device)->{status}, 200, "devices can be changed: $_")
	    for qw(deny allow);
	patch("/projects/$project", { state => 'active' });
	is($stack->enroll($new)->{status}, 200, 'active again: it enrols');
	is(identity($device)->{status}, 200, 'and issues');
};

# ------------------------------------------------------------------ searches

# All items of a list, page by page, and how long the pages were.
sub pages
{
	my ($path, $limit) = @_;
	my ($cursor, @items, @sizes) = ('');
	$path .= $path =~ /\?/ ? '&' : '?';
	do {
		my $page = get("${path}limit=$limit$cursor");
		die "$path: $page->{body}\n" if $page->{status} != 200;
		push @items, @{$page->{json}{items}};
		push @sizes, scalar @{$page->{json}{items}};
		my $next = $page->{json}{next_cursor};
		$cursor = defined $next ? "&cursor=$next" : '';
	} while ($cursor ne '' && @sizes < 100);
	return (\@items, \@sizes);
}

sub escaped
{
	return encode_utf8($_[0]) =~ s/([^A-Za-z0-9.:-])/sprintf '%%%02X', ord $1/ger;
}

subtest 'devices searched' => sub {
	my @projects = map { $stack->project("fleet $_") } 0, 1;
	my @all;
	my $between;
	for my $round (0, 1) {
		my @tokens = map { $stack->enrollment_token($_) } @projects;
		for my $i (0 .. 8) {
			my %form = (external_id => "r$round-$i",
			    $i % 3 == 0 ? () : (label => $i % 3 == 1 ? 'pump'
				: 'Kessel „Süd“ & 揚水'));
			my $json = $stack->enroll($tokens[$i % 2],
			    map { $_ => encode_utf8($form{$_}) } keys %form)->{json};
			push @all, { id => $json->{device_id}, round => $round,
				project => $projects[$i % 2], %form, state => 'active',
				token => 'etk_' . substr $tokens[$i % 2], 3, 26 };
		}
		$between //= time;
		sleep 1.1 if $round == 0;
	}
	for (1, 4, 10) {
		post("/devices/$all[$_]{id}/deny", { reason => 'x' });
		$all[$_]{state} = 'denied';
	}
	post("/devices/$all[5]{id}/revoke", { reason => 'x' });
	$all[5]{state} = 'revoked';

	my $stamp = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $between + 1);
	my $east = strftime('%Y-%m-%dT%H:%M:%S', gmtime $between + 1 + 5400)
	    . '.000+01:30';
	my $end = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime time + 3600);
	# What is searched => [which are found].
	my @searches = (
		["project_id=$projects[0]", sub { $_->{project} eq $projects[0] }],
		["device_id=$all[3]{id}", sub { $_->{id} eq $all[3]{id} }],
		["device_id=$all[3]{id}&project_id=$projects[0]", sub { 0 }],
		["device_id=$all[4]{id}&state=denied&label=pump", sub {
			$_->{id} eq $all[4]{id} }],
		["device_id=$all[4]{id}&external_id=r0-3", sub { 0 }],
		['device_id=x', sub { 0 }],
		['label=pump', sub { ($_->{label} // '') eq 'pump' }],
		['label=' . escaped('Kessel „Süd“ & 揚水'),
		    sub { ($_->{label} // '') =~ /^Kessel/ }],
		['external_id=r1-4', sub { $_->{external_id} eq 'r1-4' }],
		['state=denied', sub { $_->{state} eq 'denied' }],
		['state=revoked', sub { $_->{state} eq 'revoked' }],
		["state=active&project_id=$projects[1]", sub {
			$_->{state} eq 'active' && $_->{project} eq $projects[1] }],
		["enrollment_token_id=$all[0]{token}",
		    sub { $_->{token} eq $all[0]{token} }],
		["enrolled_after=$stamp", sub { $_->{round} == 1 }],
		["enrolled_before=$stamp", sub { $_->{round} == 0 }],
		['enrolled_after=' . escaped($east), sub { $_->{round} == 1 }],
		["enrolled_after=$stamp&enrolled_before=$end",
		    sub { $_->{round} == 1 }],
		["enrolled_after=$end", sub { 0 }],
		["enrolled_after=$end&enrolled_before=$stamp", sub { 0 }],
		["label=pump&state=denied&project_id=$projects[1]", sub {
			($_->{label} // '') eq 'pump' && $_->{state} eq 'denied'
			    && $_->{project} eq $projects[1] }],
		["label=pump&enrolled_before=$stamp", sub {
			($_->{label} // '') eq 'pump' && $_->{round} == 0 }],
		["enrollment_token_id=$all[1]{token}&label=pump&state=active", sub {
			$_->{token} eq $all[1]{token} && $_->{state} eq 'active'
			    && ($_->{label} // '') eq 'pump' }],
		["external_id=r0-1&project_id=$projects[1]&state=denied&label=pump"
		    . "&enrolled_before=$stamp", sub { $_->{external_id} eq 'r0-1' }],
		["external_id=r0-1&project_id=$projects[0]", sub { 0 }],
		['label=Pump', sub { 0 }], ['label=pum', sub { 0 }],
		['label=%25', sub { 0 }], ['external_id=R1-4', sub { 0 }],
		['state=deleted', sub { $_->{state} eq 'deleted' }],
		['enrollment_token_id=etk_' . '0' x 26, sub { 0 }],
		['enrollment_token_id=x', sub { 0 }],
	);
	# Those of other tests, of which some searches know nothing.
	my %mine = map { $_->{id} => 1 } @all;
	for (@searches) {
		my ($query, $is_found) = @$_;
		my @want = map { $_->{id} } grep { $is_found->() } @all;
		my $name = $query =~ s/_[0-9a-z]{26}/_ID/gr;
		my ($items, $sizes) = pages("/devices?$query", 2);
		is_deeply([grep { $mine{$_} } map { $_->{device_id} } @$items],
		    \@want, "$name: " . @want) or next;
		is_deeply([grep { $_ != 2 } @$sizes[0 .. $#$sizes - 1]], [],
		    'in full pages') if @$sizes > 1;
		is_deeply((pages("/devices?$query", 1000))[0], $items,
		    'and in one the same');
	}
	my ($items) = pages("/devices?project_id=$projects[0]", 1);
	is_deeply($items->[0], do { my %json =
		%{get("/devices/$items->[0]{device_id}")->{json}};
		delete $json{certificates}; \%json }, 'each as it is shown alone');
	is_problem("?$_", get("/devices?$_"), 400, 'bad-request') for
	    'state=x', 'state=Active', 'state=', 'label=', 'external_id=',
	    'label=a&label=a', 'label=' . 'a' x 257, 'name=x', 'device_id=',
	    'enrolled_after=2026', 'enrolled_after=2026-13-01T00:00:00Z',
	    'enrolled_after=2026-02-30T00:00:00Z', 'enrolled_after=now',
	    'enrolled_before=2026-01-01T00:00:00', "cursor=$projects[0]",
	    'enrolled_before=2026-01-01T25:00:00Z', 'cursor=etk_' . '0' x 26,
	    'enrolled_before=2026-01-01T00:00:00+99:00', 'enrolled_before=infinity';
	is_problem("no project: $_", get("/devices?project_id=$_"), 404,
	    'not-found') for $nowhere, 'x';
};

# -------------------------------------------------------------- certificates

subtest 'certificates searched' => sub {
	my @projects = map { $stack->project("certificates $_") } 0, 1;
	patch("/projects/$_", { reissue_policy => 'keep' }) for @projects;
	my $second = Pappus::SubCA->new($stack, 'Another');
	$second->register;
	$second->give_key;
	my $first = Pappus::SubCA->first($stack)->id;
	patch("/projects/$projects[0]", { device_issuer_id => $first });
	patch("/projects/$projects[1]", { device_issuer_id => $second->id });
	my @all;
	for my $i (0 .. 5) {
		my $project = $projects[$i % 2];
		my $json = $stack->enroll($stack->enrollment_token($project))->{json};
		for (1 .. 3) {
			my $answer;
			Pappus::Test::wait_until(30, sub { $answer =
				$stack->identity($json->{device_token});
				$answer->{status} == 200 })
			    or die "not issued: $answer->{body}\n";
			my $pem = $answer->{json}{device_certificate_pem};
			my $spki = (Pappus::Test::run_command($pem, 'openssl', 'x509',
				'-noout', '-pubkey'))[1];
			push @all, { serial => serial_of($pem), project => $project,
				device => $json->{device_id}, spki => sha256_hex(
				    decode_base64($spki =~ s/-----.*//gr)) };
		}
	}
	my @searches = (
		["device_id=$all[0]{device}", sub {
			$_->{device} eq $all[0]{device} }],
		["project_id=$projects[1]", sub { $_->{project} eq $projects[1] }],
		['issuer_id=' . $second->id, sub { $_->{project} eq $projects[1] }],
		["spki_sha256=$all[7]{spki}", sub { $_->{spki} eq $all[7]{spki} }],
		["spki_sha256=\U$all[7]{spki}", sub { $_->{spki} eq $all[7]{spki} }],
		["device_id=$all[0]{device}&project_id=$projects[0]", sub {
			$_->{device} eq $all[0]{device} }],
		["device_id=$all[0]{device}&project_id=$projects[1]", sub { 0 }],
		["device_id=$all[0]{device}&issuer_id=" . $second->id, sub { 0 }],
		["device_id=$all[0]{device}&issuer_id=$first", sub {
			$_->{device} eq $all[0]{device} }],
		["spki_sha256=$all[7]{spki}&device_id=$all[0]{device}", sub { 0 }],
		["project_id=$projects[0]&issuer_id=$first", sub {
			$_->{project} eq $projects[0] }],
		['spki_sha256=' . '0' x 64, sub { 0 }], ['issuer_id=999', sub { 0 }],
		['device_id=' . unknown_device(), sub { 0 }], ['device_id=x', sub { 0 }],
	);
	for (@searches) {
		my ($query, $is_found) = @$_;
		my @want = map { $_->{serial} } grep { $is_found->() } @all;
		my ($items, $sizes) = pages("/certificates?$query", 2);
		is_deeply([map { $_->{serial} } @$items], \@want,
		    $query =~ s/_[0-9a-z]{26}/_ID/gr . ': ' . @want) or next;
		is_deeply([grep { $_ != 2 } @$sizes[0 .. $#$sizes - 1]], [],
		    'in full pages') if @$sizes > 1;
		is_deeply((pages("/certificates?$query", 1000))[0], $items,
		    'and in one the same');
	}
	my ($every) = pages('/certificates', 5);
	my @serials = map { $_->{serial} } @$every;
	is_deeply(\@serials, [sort @serials], 'all of them, by serial');
	my %every = map { $_ => 1 } @serials;
	is(scalar(grep { $every{$_->{serial}} } @all), 18, 'each is among them');
	is(scalar @serials, scalar keys %every, 'once');
	is_problem("?$_", get("/certificates?$_"), 400, 'bad-request') for
	    'spki_sha256=x', 'spki_sha256=' . 'a' x 63, 'issuer_id=x',
	    'issuer_id=-1', 'issuer_id=99999999999', 'serial=01', 'status=valid',
	    'cursor=x', "cursor=$projects[0]", 'limit=0', 'device_id=',
	    "device_id=$all[0]{device}&device_id=$all[0]{device}";
	is_problem("no project: $_", get("/certificates?project_id=$_"), 404,
	    'not-found') for $nowhere, 'x';

	my $shown = get("/certificates/$all[7]{serial}");
	is($shown->{status}, 200, 'one');
	my ($listed) = grep { $_->{serial} eq $all[7]{serial} } @$every;
	is_deeply($shown->{json}, $listed, 'as it is listed');
	is_deeply([sort keys %$listed], [qw(device_id issued_at issuer_id not_after
		not_before profile project_id reason revoked_at serial spki_sha256
		status subject)], 'members');
	is_deeply([@$listed{qw(device_id subject project_id issuer_id profile
		spki_sha256 status reason revoked_at)}], [@{$all[7]}{qw(device device
		project)}, $first, 'device', $all[7]{spki}, 'valid', undef, undef],
	    'what they say');
	like($listed->{$_}, $time, $_) for qw(issued_at not_before not_after);
	is_problem("none: $_", get("/certificates/$_"), 404, 'not-found')
	    for unknown_serial(), '01', 'x', uc $all[7]{serial}, "$all[7]{serial}00";
	my ($server) = grep { $_->{profile} eq 'server' } @$every;
	is_deeply([@{get("/certificates/$server->{serial}")->{json}}{qw(device_id
		project_id status)}, $server->{subject}], [undef, undef, 'valid',
		'nginx'], 'a server\'s certificate has no device');
};

subtest 'certificates revoked' => sub {
	my $token = $stack->enrollment_token(my $project = $stack->project);
	my $json = $stack->enroll($token)->{json};
	my $device = { token => $json->{device_token} };
	for my $code (0, 1, 3, 4, 5, 9) {
		my $serial = serial(identity($device));
		my $answer = post("/certificates/$serial/revoke",
		    { reason => 'Grund „ß“', reason_code => $code });
		is($answer->{status}, 200, "reason code $code");
		is_deeply([@{$answer->{json}}{qw(serial status reason)}],
		    [$serial, 'revoked', $code], 'as it says');
		like($answer->{json}{revoked_at}, $time, 'and when');
		is_deeply(get("/certificates/$serial")->{json}, $answer->{json},
		    'shown');
		my $act = is_recorded($code, $answer, action => 'certificate.revoke',
		    object_id => $serial, project_id => $project);
		is(decode_utf8(encode_utf8($act->{reason})), 'Grund „ß“', 'why');
		is_deeply([$act->{before}{status}, $act->{after}{status}],
		    ['valid', 'revoked'], 'before and after');
	}
	my $serial = serial(identity($device));
	is_problem("reason code $_", post("/certificates/$serial/revoke",
		{ reason => 'x', reason_code => $_ }), 400, 'bad-request')
	    for 2, 7, 8, 10, 11, -1;
	is(get("/certificates/$serial")->{json}{status}, 'valid', 'stays valid');
	is(post("/certificates/$serial/revoke", { reason => 'x' })->{json}{reason},
	    0, 'none given: unspecified');
	is(identity($device)->{status}, 200, 'the device itself may go on');

	my $unknown = unknown_serial();
	my $answer = post("/certificates/$unknown/revoke",
	    { reason => 'lost', reason_code => 1 });
	is($answer->{status}, 200, 'an unknown serial is taken');
	is_deeply($answer->{json}, { serial => $unknown, status => 'revoked',
		reason => 1, revoked_at => $answer->{json}{revoked_at}, map { $_ =>
		undef } qw(device_id issued_at issuer_id not_after not_before profile
		project_id spki_sha256 subject) }, 'of which nothing is known');
	is_deeply(get("/certificates/$unknown")->{json}, $answer->{json}, 'shown');
	is_recorded('unknown', $answer, action => 'certificate.revoke',
	    object_id => $unknown, project_id => undef);
	my @long = ('01' . '0' x 38, '7f' . 'f' x 38);
	is(post("/certificates/$_/revoke", { reason => 'x' })->{status}, 200,
	    "20 octets: $_") for @long;
	is_problem("no serial: $_", post("/certificates/$_/revoke",
		{ reason => 'x' }), 400, 'bad-request')
	    for '00', '80', 'ff' . '0' x 38;
};

subtest 'devices revoked with a reason code' => sub {
	my $token = $stack->enrollment_token(my $project = $stack->project);
	my @devices = map { $stack->enroll($token)->{json} } 1 .. 6;
	for my $code (0, 1, 3, 4, 5, 9) {
		my $json = shift @devices;
		$stack->identity($json->{device_token});
		my $answer = post("/devices/$json->{device_id}/revoke",
		    { reason => 'x', reason_code => $code });
		is_deeply([$answer->{status}, $answer->{json}{state}, map { @$_{qw(status
			reason)} } @{$answer->{json}{certificates}}], [200, 'revoked',
			'revoked', $code], "code $code");
	}
	my $json = $stack->enroll($token)->{json};
	$stack->identity($json->{device_token});
	is_problem("code $_", post("/devices/$json->{device_id}/revoke",
		{ reason => 'x', reason_code => $_ }), 400, 'bad-request')
	    for 2, 6, 7, 8, 10;
	is(get("/devices/$json->{device_id}")->{json}{state}, 'active',
	    'which is none the worse for it');
};

# The way back for who lost its token: over external_id, or by the operator.
subtest 'reset' => sub {
	my $token = $stack->enrollment_token(my $project = $stack->project);
	my $json = $stack->enroll($token, external_id => 'SN-1')->{json};
	$stack->identity($json->{device_token});
	is_problem('before', $stack->enroll($token, external_id => 'SN-1'), 409,
	    'identity-exists');
	my $answer = post("/devices/$json->{device_id}/reset", { reason => 'lost' });
	is($answer->{status}, 200, 'reset');
	is_deeply($answer->{headers}{'cache-control'}, ['no-store'], 'no-store');
	my %shown = %{$answer->{json}};
	my $ulid = substr $json->{device_id}, 4;
	like(delete $shown{device_token}, qr/^dt_${ulid}(?:[0-9a-z]{38})\z/,
	    'a token of that device');
	is_deeply(\%shown, get("/devices/$json->{device_id}")->{json},
	    'beside the device as it is now');
	is_deeply([$shown{identity_issued_at}, map { @$_{qw(status reason)} }
		@{$shown{certificates}}], [undef, 'revoked', 4], 'without identity');
	my $again = $stack->enroll($token, external_id => 'SN-1');
	is($again->{json}{device_id}, $json->{device_id},
	    'it enrols again, with its earlier id');
	is_problem('which ends the operator\'s token',
	    $stack->identity($answer->{json}{device_token}), 401, 'invalid-token');
	is($stack->identity($again->{json}{device_token})->{status}, 200,
	    'and is back');
};

# ---------------------------------------------------------------------- CAs

subtest 'issuers' => sub {
	my $list = get('/issuers');
	is($list->{status}, 200, 'listed');
	my @items = @{$list->{json}{items}};
	is_deeply([sort keys %{$list->{json}}], [qw(items next_cursor)], 'a list');
	my %purpose;
	push @{$purpose{$_->{purpose}}}, $_ for @items;
	is_deeply([map { scalar @{$purpose{$_}} } qw(root device server)],
	    [1, 2, 1], 'all there are');
	is_deeply([sort keys %{$items[0]}], [qw(ca_url crl_url days_left
		full_length_days_left issuer_id name not_after not_before parent_id
		purpose registered_at revoked_at shared ski state trust_domain)],
	    'members');
	my ($root, $device, $server) = map { $purpose{$_}[0] } qw(root device server);
	is_deeply([map { $_->{parent_id} } $root, $device, $server], [undef,
		($root->{issuer_id}) x 2], 'parents');
	# 40 and 35 years; less a leaf's 30 years, or a sub-CA's 35.
	my $years = sub { sprintf '%.1f', $_[0] / 365.2425 };
	is_deeply([map { $years->($_->{days_left}), $years->(
		$_->{full_length_days_left}) } $root, $device, $server],
	    ['40.0', '5.0', '35.0', '5.0', '35.0', '34.0'], 'years left');
	is($device->{ski}, lc((Pappus::Test::run_command('', 'openssl', 'x509',
		'-noout', '-ext', 'subjectKeyIdentifier', '-in',
		$stack->dir . '/ca/device/ca.crt'))[1] =~ s/^.*\n|[\s:]//gr), 'ski');
	is_problem("GET $_", get($_), 405, 'method-not-allowed', allow => 'PATCH')
	    for '/issuers/1', '/issuers/x';

	my $third = Pappus::SubCA->new($stack, 'Third');
	my $path = '/issuers/' . $third->register;
	my $state = 'issuing';
	for my $step (['issuing', 200], ['crl-only', 200, 1], ['crl-only', 200],
	    ['issuing', 409], ['closed', 200, 1], ['crl-only', 409],
	    ['issuing', 409], ['closed', 200]) {
		my ($to, $status, $logged) = @$step;
		my $answer = patch($path, { state => $to });
		my $name = "$state to $to";
		if ($status == 409) {
			is_problem($name, $answer, 409, 'conflict');
		} else {
			is_deeply([$answer->{status}, $answer->{json}{state}],
			    [200, $to], $name);
		}
		if ($logged) {
			my $act = is_recorded($name, $answer, action =>
			    'issuer.update', object_id => $third->id . '',
			    project_id => undef);
			is_deeply([map { $act->{$_}{state} } qw(before after)],
			    [$state, $to], 'before and after');
			$state = $to;
		} else {
			is(scalar(acts($answer)), 0, "$name: no act");
		}
		is(sql('SELECT state FROM pappus.issuers WHERE issuer_id = '
			. $third->id), $state, "then $state");
	}
	is_problem("unknown: $_", patch("/issuers/$_", { state => 'closed' }), 404,
	    'not-found') for 0, 999999999, 'x';
};

# No secret stands in what was recorded of all this.
is(sql('SELECT count(*) FROM pappus.operator_actions a'
	. " WHERE a::text ~ '[ade]t_[0-9a-z]{27}|sha256\":'"), 0,
    'no secret in the log of acts');

done_testing;
