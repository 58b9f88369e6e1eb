# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# The broker, as shipped (broker/mosquitto-plugin.conf): a client certificate is
# required, the plugin checks it, and a device reaches devices/<its id>/# alone.

mosquitto_configure()
{
	local owner=()
	! is_root || owner=(-o mosquitto -g mosquitto)
	local home=$RUN/mosquitto
	install -d -m 0700 "${owner[@]}" "$home"
	# Copies, since mosquitto drops root before it reads its key.  Root and
	# sub-CA: a sub-CA alone is not enough for mosquitto.
	cat "$DIR/ca/device/root.crt" "$DIR/ca/device/ca.crt" >"$home/clients.pem"
	install -m 0600 "${owner[@]}" "$DIR/server/mosquitto.key" \
	    "$DIR/server/mosquitto.crt" "$home/"
	install -m 0700 "$BUILD/pappus_mosquitto.so" "$home/"
	echo 'pattern readwrite devices/%u/#' >"$home/acl"
	{
		cat <<-CONF
			user mosquitto
			persistence false
			log_dest stderr
			log_timestamp_format %Y-%m-%dT%H:%M:%S
		CONF
		sed -e "s|@LISTEN@|$(setting MQTT_PORT) 127.0.0.1|" \
		    -e "s|@CONFIG@|$home|" -e "s|@PLUGIN@|$home|" \
		    -e "s|@FEED@|$RUN/brokerd/feed|" \
		    "$SOURCE/broker/mosquitto-plugin.conf"
	} >"$home/mosquitto.conf"
	if is_root; then
		chown mosquitto:mosquitto "$home"/*
	fi
	chmod 0600 "$home"/*
	chmod 0700 "$home/pappus_mosquitto.so"
}

mosquitto_start()
{
	choose_port MQTT_PORT 8883
	mosquitto_configure
	(cd / && PATH=$PATH:/usr/sbin exec setsid mosquitto \
	    -c "$RUN/mosquitto/mosquitto.conf") \
	    >>"$DIR/log/mosquitto.log" 2>&1 9>&- </dev/null &
	record_process mosquitto "$!"
	wait_for 10 mosquitto listening "$(setting MQTT_PORT)"
}

mosquitto_stop()
{
	end_process mosquitto TERM 10
	end_orphans mosquitto
}
