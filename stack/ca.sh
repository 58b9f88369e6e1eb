# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# The hierarchy: a root, a sub-CA for devices, one for servers, and the
# certificates of nginx and the broker.  Everything is made once.

ca()
{
	"$BUILD/pappus-ca" "$@" >>"$DIR/log/setup.log" 2>&1 ||
	    die "pappus-ca $1 failed; see $DIR/log/setup.log"
}

# sub_ca PURPOSE NAME: key and request here, signature by the root.
sub_ca()
{
	local dir=$DIR/ca/$1 url
	url=$(setting PUBLIC_URL)
	[ ! -f "$dir/ca.crt" ] || return 0
	rm -rf "$dir" "$dir.crt"
	install -d -m 0700 "$dir"
	ca request --dir "$dir" --name "$2" --org Pappus
	ca sign --dir "$DIR/root" --request "$dir/ca.csr" --purpose "$1" \
	    --out "$dir.crt"
	ca install --dir "$dir" --cert "$dir.crt" --root "$DIR/root/root.crt" \
	    --crl-url "$url/crl/$1.crl" --ca-url "$url/ca/$1.cer"
	rm -f "$dir.crt"
}

server_certificate()
{
	[ ! -f "$DIR/server/$1.crt" ] || return 0
	rm -f "$DIR/server/$1.key"
	ca server --dir "$DIR/ca/server" --out "$DIR/server/$1" --name "$1" \
	    --dns localhost --ip 127.0.0.1 --ip ::1
}

# What the addresses inside certificates lead to.
ca_publish()
{
	local name
	mkdir -p "$DIR/public/crl" "$DIR/public/ca"
	[ -f "$DIR/public/crl/root.crl" ] ||
	    ca crl --dir "$DIR/root" --out "$DIR/public/crl/root.crl"
	for name in root ca/device ca/server; do
		ca_publish_certificate "$DIR/$name" "${name#ca/}"
	done
	chmod -R u=rwX,go=rX "$DIR/public"
}

ca_publish_certificate()
{
	local cert=$1/ca.crt
	[ "$2" != root ] || cert=$DIR/ca/device/root.crt
	openssl x509 -in "$cert" -out "$DIR/public/ca/$2.pem"
	openssl x509 -in "$cert" -outform DER -out "$DIR/public/ca/$2.cer"
}

ca_prepare()
{
	local url
	url=$(setting PUBLIC_URL)
	install -d -m 0700 "$DIR/ca" "$DIR/server"
	# The root may have been taken offline since: then it stays there.
	if [ ! -f "$DIR/ca/device/root.crt" ] && [ ! -f "$DIR/root/root.crt" ]; then
		rm -rf "$DIR/root"
		mkdir -m 0700 "$DIR/root"
		ca root --dir "$DIR/root" --name "Pappus demo root" --org Pappus \
		    --crl-url "$url/crl/root.crl" --ca-url "$url/ca/root.cer"
	fi
	sub_ca device "Pappus demo devices"
	sub_ca server "Pappus demo servers"
	server_certificate nginx
	server_certificate mosquitto
	ca_publish
}

# What the database has to know of it.
ca_register()
{
	[ ! -f "$DIR/database-ready" ] || return 0
	rm -f "$DIR/admin-token"
	{
		as_setup "$BUILD/pappus" issuer register --dir "$DIR/ca/device" &&
		as_setup "$BUILD/pappus" issuer register --dir "$DIR/ca/server" &&
		as_setup "$BUILD/pappus" issuer crl "$DIR/public/crl/root.crl" &&
		as_setup "$BUILD/pappus" certificate record \
		    "$DIR/server/nginx.crt" "$DIR/server/mosquitto.crt" &&
		as_setup "$BUILD/pappus" admin-token create --role owner \
		    --name stack --out "$DIR/admin-token"
	} >>"$DIR/log/setup.log" 2>&1 ||
	    die "the database could not be filled; see $DIR/log/setup.log"
	touch "$DIR/database-ready"
}
