# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# nginx with the shipped site file, filled in.

nginx_configure()
{
	local user=""
	! is_root || user="user www-data;"
	mkdir -p "$RUN/nginx/tmp"
	# A copy: as root, the workers could not enter a closed checkout.
	rm -rf "$RUN/nginx/pappus"
	cp -r "$SOURCE/nginx" "$RUN/nginx/pappus"
	install -m 0600 "$DIR/server/nginx.key" "$DIR/server/nginx.crt" "$RUN/nginx/"
	sed -e "s|@RATE@|$(setting RATE)|" -e "s|@RUN@|$RUN|" \
	    -e "s|@LOG@|$RUN/log|" -e "s|@PUBLIC@|$RUN/public|" \
	    -e "s|@CERTIFICATE@|$RUN/nginx/nginx.crt|" \
	    -e "s|@KEY@|$RUN/nginx/nginx.key|" \
	    -e "s|@DEVICE_LISTEN@|127.0.0.1:$(setting DEVICE_PORT)|" \
	    -e "s|@ADMIN_LISTEN@|127.0.0.1:$(setting ADMIN_PORT)|" \
	    -e "s|@PUBLIC_LISTEN@|127.0.0.1:$(setting PUBLIC_PORT)|" \
	    -e "s|127.0.0.1:8446|127.0.0.1:$(setting FAILED_PORT)|" \
	    "$SOURCE/nginx/site.conf.in" >"$RUN/nginx/site.conf"
	cat >"$RUN/nginx/nginx.conf" <<-CONF
		$user
		pid $RUN/nginx/nginx.pid;
		worker_processes 2;
		events {
			worker_connections 1024;
		}
		http {
			client_body_temp_path $RUN/nginx/tmp/body;
			fastcgi_temp_path $RUN/nginx/tmp/fastcgi;
			proxy_temp_path $RUN/nginx/tmp/proxy;
			scgi_temp_path $RUN/nginx/tmp/scgi;
			uwsgi_temp_path $RUN/nginx/tmp/uwsgi;
			include site.conf;
		}
	CONF
}

nginx_ports()
{
	choose_port DEVICE_PORT 8443
	choose_port ADMIN_PORT 8444
	choose_port PUBLIC_PORT 8080
	# Nobody has to know this one.
	choose_port FAILED_PORT 0
}

nginx_start()
{
	nginx_ports
	nginx_configure
	rm -f "$RUN/nginx/nginx.pid"
	PATH=$PATH:/usr/sbin nginx -p "$RUN/nginx" -c "$RUN/nginx/nginx.conf" \
	    -e "$RUN/log/nginx-error.log" >>"$DIR/log/setup.log" 2>&1 9>&- ||
	    die "nginx did not start; see $DIR/log"
	wait_for 10 nginx test -s "$RUN/nginx/nginx.pid"
	record_process nginx "$(cat "$RUN/nginx/nginx.pid")"
}

# Its shipped configuration was changed since it was started.
nginx_is_old()
{
	[ -d "$RUN/nginx/pappus" ] &&
	    ! diff -rq "$SOURCE/nginx" "$RUN/nginx/pappus" >/dev/null
}

nginx_stop()
{
	# QUIT: requests that are being answered get their answer.
	end_process nginx QUIT 10
	end_orphans nginx
}
