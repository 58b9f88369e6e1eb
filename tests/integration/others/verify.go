// SPDX-License-Identifier: ISC

// What Go's crypto/x509 says of certificates, lists and keys, at a time in
// unix seconds.
//
//	verify client|server ROOT CHAIN LEAF TIME [HOST]
//	verify crl ROOT CRL TIME
//	verify key CERTIFICATE KEY
//
// Prints what is wrong and ends with 1, or 0.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

func slurp(path string) []byte {
	data, err := os.ReadFile(path)
	must(err)
	return data
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func at(text string) time.Time {
	seconds, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return time.Unix(seconds, 0)
}

func load(path string) *x509.Certificate {
	block, _ := pem.Decode(slurp(path))
	if block == nil {
		must(errors.New(path + ": no PEM"))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	must(err)
	return cert
}

func pool(path string) *x509.CertPool {
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(slurp(path)) {
		must(errors.New(path + ": no certificate"))
	}
	return p
}

func leaf(purpose x509.ExtKeyUsage, a []string) {
	options := x509.VerifyOptions{
		Roots:         pool(a[0]),
		Intermediates: pool(a[1]),
		CurrentTime:   at(a[3]),
		KeyUsages:     []x509.ExtKeyUsage{purpose},
	}
	if len(a) > 4 {
		options.DNSName = a[4]
	}
	cert := load(a[2])
	_, err := cert.Verify(options)
	must(err)
	if len(cert.UnhandledCriticalExtensions) != 0 {
		must(errors.New("unhandled critical extension"))
	}
}

func crl(a []string) {
	list, err := x509.ParseCRL(slurp(a[1]))
	must(err)
	must(load(a[0]).CheckCRLSignature(list))
	if list.HasExpired(at(a[2])) {
		must(errors.New("the list has expired"))
	}
}

func main() {
	args := os.Args[1:]
	switch {
	case len(args) >= 5 && args[0] == "client":
		leaf(x509.ExtKeyUsageClientAuth, args[1:])
	case len(args) >= 5 && args[0] == "server":
		leaf(x509.ExtKeyUsageServerAuth, args[1:])
	case len(args) == 4 && args[0] == "crl":
		crl(args[1:])
	case len(args) == 3 && args[0] == "key":
		_, err := tls.LoadX509KeyPair(args[1], args[2])
		must(err)
	default:
		os.Exit(2)
	}
}
