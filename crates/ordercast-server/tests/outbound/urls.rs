//! Every way in which an address has been hidden in a URL, as one table.

use ordercast_server::outbound::guard::{InvalidUrl, Policy, TargetUrl};

fn check(policy: &Policy, expected: Result<(), InvalidUrl>, urls: &[&str]) {
    for url in urls {
        let parsed = TargetUrl::parse(url, policy).map(|_| ());
        assert_eq!(parsed, expected, "{url}");
    }
}

#[test]
fn public_https_is_accepted() {
    check(
        &Policy::default(),
        Ok(()),
        &[
            "https://shop.example/webhooks",
            "https://shop.example",
            "https://shop.example/",
            "https://SHOP.Example/Path?query=1&other=%20",
            "https://shop.example:443/",
            "https://shop.example:8443/hook",
            "https://api.shop.example/v1/hooks/in?x=/../..",
            "https://xn--bcher-kva.example/",
            "https://shop.example./",
            "https://a.b.c.d.e.example/",
            "https://8.8.8.8/",
            "https://1.1.1.1:8443/hook",
            "https://100.63.255.255/",
            "https://100.128.0.0/",
            "https://172.15.255.255/",
            "https://172.32.0.0/",
            "https://192.167.255.255/",
            "https://192.169.0.0/",
            "https://198.17.255.255/",
            "https://198.20.0.0/",
            "https://11.0.0.0/",
            "https://9.255.255.255/",
            "https://126.255.255.255/",
            "https://128.0.0.1/",
            "https://169.253.255.255/",
            "https://169.255.0.0/",
            "https://223.255.255.255/",
            "https://[2606:4700:4700::1111]/",
            "https://[2001:4860:4860::8888]:8443/",
            "https://[2a00:1450:4001:81b::200e]/",
            "https://[::ffff:8.8.8.8]/",
            "https://[64:ff9b::8.8.8.8]/",
            // Numbers in all their forms, of a public address.
            "https://134744072/",
            "https://0x08080808/",
            "https://010.010.010.010/",
            "https://8.8.2056/",
            // A name that only looks like something private.
            "https://10.0.0.1.shop.example/",
            "https://localhost.shop.example/",
            "https://internal-tools.example/",
            "https://127-0-0-1.shop.example/",
            // Only before the host it is a user name.
            "https://shop.example/@shop/hooks",
            "https://shop.example/hooks?to=a@b.example",
            "https://shop.example?a@b",
        ],
    );
}

#[test]
fn addresses_that_are_not_public_are_refused_in_every_spelling() {
    check(
        &Policy::default(),
        Err(InvalidUrl::Address),
        &[
            // Loopback.
            "https://127.0.0.1/",
            "https://127.0.0.1:8443/",
            "https://127.1/",
            "https://127.0.1/",
            "https://127.255.255.254/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0x0.0x0.0x1/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://0177.0.0.1/",
            "https://0177.1/",
            "https://127.0.0.1./",
            "https://%31%32%37.0.0.1/",
            "https://localhost/",
            "https://LOCALHOST/",
            "https://localhost./",
            "https://localhost:8443/",
            "https://foo.localhost/",
            "https://l%6fcalhost/",
            "https://[::1]/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://[0000:0000:0000:0000:0000:0000:0000:0001]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[0:0:0:0:0:ffff:127.0.0.1]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            // This host, this network.
            "https://0.0.0.0/",
            "https://0/",
            "https://0x0/",
            "https://00000/",
            "https://0.1.2.3/",
            "https://[::]/",
            "https://[::0]/",
            "https://[::ffff:0.0.0.0]/",
            // Private networks.
            "https://10.0.0.0/",
            "https://10.0.0.1/",
            "https://10.255.255.255/",
            "https://10.1/",
            "https://167772161/",
            "https://0xa000001/",
            "https://012.0.0.1/",
            "https://172.16.0.0/",
            "https://172.16.0.1/",
            "https://172.31.255.255/",
            "https://2886729729/",
            "https://192.168.0.0/",
            "https://192.168.1.1/",
            "https://192.168.255.255/",
            "https://192.168.257/",
            "https://3232235777/",
            "https://0xc0a80101/",
            "https://0300.0250.0001.0001/",
            "https://[::ffff:10.0.0.1]/",
            "https://[::ffff:a00:1]/",
            "https://[::ffff:192.168.1.1]/",
            "https://[::ffff:172.16.0.1]/",
            "https://[64:ff9b::10.0.0.1]/",
            "https://[64:ff9b::c0a8:101]/",
            "https://[2002:a00:1::1]/",
            "https://[2002:c0a8:101::1]/",
            // Shared address space of carriers.
            "https://100.64.0.0/",
            "https://100.64.0.1/",
            "https://100.127.255.255/",
            // Link local, and the metadata of clouds.
            "https://169.254.0.0/",
            "https://169.254.169.254/",
            "https://169.254.169.254/latest/meta-data/",
            "https://169.254.170.2/",
            "https://169.254.43518/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://0xa9.0xfe.0xa9.0xfe/",
            "https://0251.0376.0251.0376/",
            "https://025177524776/",
            "https://[::ffff:169.254.169.254]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::169.254.169.254]/",
            "https://[2002:a9fe:a9fe::]/",
            "https://[fd00:ec2::254]/",
            "https://[fe80::1]/",
            "https://[fe80::]/",
            "https://[febf:ffff::1]/",
            // For protocols, documents, measurements.
            "https://192.0.0.0/",
            "https://192.0.0.8/",
            "https://192.0.0.170/",
            "https://192.0.2.1/",
            "https://192.88.99.1/",
            "https://198.18.0.0/",
            "https://198.19.255.255/",
            "https://198.51.100.1/",
            "https://203.0.113.1/",
            "https://[100::]/",
            "https://[100::1]/",
            "https://[2001::1]/",
            "https://[2001:10::1]/",
            "https://[2001:20::1]/",
            "https://[2001:db8::1]/",
            "https://[3fff::1]/",
            "https://[5f00::1]/",
            "https://[64:ff9b:1::1]/",
            // Multicast, reserved, broadcast.
            "https://224.0.0.1/",
            "https://239.255.255.255/",
            "https://240.0.0.0/",
            "https://255.255.255.254/",
            "https://255.255.255.255/",
            "https://4294967295/",
            "https://[ff00::1]/",
            "https://[ff02::1]/",
            "https://[ff0e::1]/",
            // Unique and site local.
            "https://[fc00::]/",
            "https://[fc00::1]/",
            "https://[fd12:3456:789a::1]/",
            "https://[fdff:ffff::1]/",
            "https://[fec0::1]/",
            // Names of a machine or its network.
            "https://router/",
            "https://intranet/",
            "https://db/",
            "https://printer.local/",
            "https://nas.home.arpa/",
            "https://metadata.google.internal/",
            "https://api.internal/",
            "https://api.internal./",
            "https://something.test/",
            "https://something.invalid/",
            "https://something.onion/",
        ],
    );
}

#[test]
fn other_schemes_ports_and_disguises_are_refused() {
    let strict = Policy::default();
    check(
        &strict,
        Err(InvalidUrl::Scheme),
        &[
            "http://shop.example/",
            "HTTP://shop.example/",
            "http://127.0.0.1/",
            "ftp://shop.example/",
            "file:///etc/passwd",
            "gopher://shop.example/",
            "javascript:alert(1)",
            "data:text/plain,x",
            "ws://shop.example/",
            "wss://shop.example/",
            "ldap://shop.example/",
            "dict://shop.example:2628/",
            "unix:/run/docker.sock",
            "tel:1",
            "mailto:a",
        ],
    );
    check(
        &strict,
        Err(InvalidUrl::Port),
        &[
            "https://shop.example:80/",
            "https://shop.example:22/",
            "https://shop.example:25/",
            "https://shop.example:6379/",
            "https://shop.example:8080/",
            "https://shop.example:65535/",
            "https://8.8.8.8:5432/",
        ],
    );
    check(
        &strict,
        Err(InvalidUrl::Credentials),
        &[
            "https://user@shop.example/",
            "https://user:password@shop.example/",
            "https://shop.example@127.0.0.1/",
            "https://shop.example:443@169.254.169.254/",
            "https://:@shop.example/",
            "https://@shop.example/",
        ],
    );
    check(
        &strict,
        Err(InvalidUrl::Fragment),
        &[
            "https://shop.example/#a",
            "https://shop.example#",
            "https://127.0.0.1/#@shop.example",
        ]
        .map(|url| url.replace('@', "%40"))
        .each_ref()
        .map(String::as_str),
    );
    check(
        &strict,
        Err(InvalidUrl::Url),
        &[
            "",
            " ",
            "shop.example",
            "//shop.example/",
            "/webhooks",
            "https:",
            "https://",
            "https:///",
            "https:///etc/passwd/ ",
            "https://shop.example:99999/",
            "https://shop.example:x/",
            "https://[::1/",
            "https://[::g]/",
            "https://[fe80::1%25eth0]/",
            "https://1.2.3.4.5/",
            "https://256.256.256.256/",
            "https://0x100000000/",
            "https://shop example/",
            "https://shop.example/a b",
            "https://shop\t.example/",
            "https://shop.example/\r\nHost: other",
            "https:\\\\127.0.0.1\\",
            "https://shop.example\\@127.0.0.1/",
            "https:///shop.example/",
            "https:///@shop.example/",
            "https:/shop.example/",
            "https:shop.example/",
            "https://127。0。0。1/",
            "https://①②⑦.0.0.1/",
            "https://ⓛocalhost/",
            "https://shop.example/\u{202e}",
            "https://a<b>.example/",
            "https://%00/",
            "https://shop%2eexample%2f/",
        ],
    );
    let long = format!("https://shop.example/{}", "a".repeat(2_048));
    check(&strict, Err(InvalidUrl::Url), &[&long]);
}

#[test]
fn the_operator_opens_the_own_network_and_no_other() {
    let open = Policy {
        allow_http: true,
        allow_any_port: true,
        allowed_networks: vec![
            "10.1.0.0/16".parse().expect("network"),
            "fd00:1::/32".parse().expect("network"),
        ],
        ..Policy::default()
    };
    check(
        &open,
        Ok(()),
        &[
            "http://10.1.2.3:8080/hook",
            "https://10.1.255.255/",
            "http://[fd00:1::1]:9000/",
            "http://[::ffff:10.1.2.3]/",
            "http://shop.example:8080/",
            // Whether it is of that network shows when it is dialled.
            "http://backend.internal/",
        ],
    );
    check(
        &open,
        Err(InvalidUrl::Address),
        &[
            "http://10.2.0.1/",
            "http://127.0.0.1/",
            "http://169.254.169.254/",
            "http://[fd00:2::1]/",
            "http://[::1]/",
        ],
    );
    check(&open, Err(InvalidUrl::Scheme), &["ftp://10.1.2.3/"]);
}
