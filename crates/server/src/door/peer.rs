//! Who is at the other end: the socket's address, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use crate::socketio::Mount;

/// What the front door and the HTTP API work with and a reload may change.
#[derive(Debug, Clone, Default)]
pub struct Front {
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Web origins that may open WebSockets, beside the same host and the app's own.
    pub origins: Vec<String>,
    /// Web origins that belong to one app alone, by the app's index.
    pub app_origins: Vec<Vec<String>>,
    /// Web origins that may call the HTTP API, of all apps.
    pub cors_origins: Vec<String>,
    /// The cookie with the user's token.
    pub auth_cookie: Option<String>,
    /// Bytes of a request head.
    pub header: usize,
    /// Time for a request head.
    pub header_time: Duration,
    /// Bytes of a request body.
    pub body: usize,
    /// The longest wait of a poll, in milliseconds.
    pub poll_wait: u64,
    /// Is there a metrics page?
    pub metrics_enabled: bool,
    /// Does it need no secret?
    pub metrics_public: bool,
    /// Development mode.
    pub dev: bool,
    /// Does what a marketplace's backend tells nobody in particular reach everybody?
    pub everyone: bool,
    /// Is compression agreed to?
    pub compression: bool,
    /// Is `/echo` open, for conformance suites?
    pub echo: bool,
    /// Connections in all; 0 is off.
    pub connections: usize,
    /// Connections of an address; 0 is off.
    pub connections_per_address: usize,
    /// New connections per second of an address; 0 is off.
    pub connect_rate: u32,
    /// Are pages of the Portico dialect served?
    pub portico: bool,
    /// Where clients of the Socket.IO dialect connect.
    pub socketio: Mount,
    /// Are pages of the AppointEase dialect served?
    pub appointease: bool,
}

/// The app of the listener that a request came in by, where it has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnApp(pub Option<u64>);

/// The other end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: IpAddr,
    /// The client speaks TLS, to us or to a trusted proxy.
    pub secure: bool,
    /// The connection comes from this machine, and not through a proxy.
    pub loopback: bool,
    /// The connection comes from a proxy that is believed.
    pub proxied: bool,
}

impl Front {
    /// Has the operator said which pages may connect to this app?
    pub fn has_origins(&self, app: usize) -> bool {
        !self.origins.is_empty() || self.app_origins.get(app).is_some_and(|own| !own.is_empty())
    }

    /// Finds out who is at the other end. Headers count only where the socket's own peer is a
    /// trusted proxy; then the last address in the chain that is no trusted proxy is the client.
    /// `header` gives all lines of a name, joined by commas: some proxies add a line of their own.
    pub fn peer(&self, socket: SocketAddr, secure: bool, header: impl Fn(&str) -> Option<String>) -> Peer {
        let own = socket.ip().to_canonical();
        if !self.trusts(own) {
            return Peer { address: own, secure, loopback: own.is_loopback(), proxied: false };
        }
        let forwarded = header("forwarded").map(|text| forwarded_chain(&text)).unwrap_or_default();
        let told = header("x-forwarded-for").map(|list| addresses(list.split(','))).unwrap_or_default();
        let by_proxy = !forwarded.is_empty() || !told.is_empty();
        let standard = self.client(&forwarded);
        // A proxy writes one of the two and passes the other on as its client wrote it. So where they
        // differ, neither is believed: whoever sends both counts as the proxy's own address.
        let address = match (self.client(&told), standard) {
            (Some((one, _)), Some((other, _))) if one != other => own,
            (Some((client, _)), _) | (None, Some((client, _))) => client,
            (None, None) => own,
        };
        // The last one is the proxy's own word.
        let scheme = header("x-forwarded-proto").and_then(|list| list.rsplit(',').next().map(str::to_owned));
        let scheme = scheme.or_else(|| standard.and_then(|(_, proto)| proto.map(str::to_owned)));
        let secure = secure || scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
        Peer { address, secure, loopback: own.is_loopback() && !by_proxy, proxied: true }
    }

    /// The last hop that is no trusted proxy, unless it hides its name, and the scheme that was told
    /// of it. Whatever stands before it was written by that hop itself.
    fn client<'a>(&self, chain: &'a [Hop]) -> Option<(IpAddr, Option<&'a str>)> {
        let hop = chain.iter().rev().find(|hop| hop.address.is_none_or(|address| !self.trusts(address)))?;
        Some((hop.address?, hop.proto.as_deref()))
    }

    /// Is this a proxy whose forwarding headers are believed?
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

/// All lines of one header as one list. One that is no text stays in it: it hides who wrote it.
pub fn joined<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// One hop of a chain of proxies, as the one behind it saw it.
struct Hop {
    /// `None` where it hides its name.
    address: Option<IpAddr>,
    proto: Option<String>,
}

fn addresses<'a>(list: impl Iterator<Item = &'a str>) -> Vec<Hop> {
    list.map(|item| Hop { address: address(item.trim()), proto: None }).collect()
}

/// An address with or without port, quotes and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    parsed.ok().map(|address| address.to_canonical())
}

/// RFC 7239: `for` and `proto` of every hop.
fn forwarded_chain(text: &str) -> Vec<Hop> {
    let hop = |text: &str| {
        let mut hop = Hop { address: None, proto: None };
        for (name, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.address = address(value),
                "proto" => hop.proto = Some(value.trim_matches('"').to_owned()),
                _ => {}
            }
        }
        hop
    };
    text.split(',').map(hop).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front() -> Front {
        let trusted_proxies = ["127.0.0.0/8", "10.0.0.0/8"].map(|net| net.parse().unwrap()).to_vec();
        Front { trusted_proxies, ..Front::default() }
    }

    fn seen(socket: &str, headers: &[(&str, &str)]) -> Peer {
        let header =
            |name: &str| joined(headers.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.as_bytes()));
        front().peer(socket.parse().unwrap(), false, header)
    }

    #[test]
    fn a_table_of_proxies() {
        let table = [
            ("127.0.0.1:9", vec![("x-forwarded-for", "203.0.113.7")], "203.0.113.7"),
            ("127.0.0.1:9", vec![("x-forwarded-for", "203.0.113.7, 10.1.1.1")], "203.0.113.7"),
            // What the client itself wrote before the proxy added its address is not believed.
            ("127.0.0.1:9", vec![("x-forwarded-for", "1.2.3.4, 203.0.113.7")], "203.0.113.7"),
            ("198.51.100.1:9", vec![("x-forwarded-for", "203.0.113.7")], "198.51.100.1"),
            ("127.0.0.1:9", vec![("x-forwarded-for", "10.2.2.2, 10.1.1.1")], "127.0.0.1"),
            ("127.0.0.1:9", vec![("x-forwarded-for", "nonsense")], "127.0.0.1"),
            ("127.0.0.1:9", vec![("forwarded", "for=\"[2001:db8::1]:47\";proto=https")], "2001:db8::1"),
            ("127.0.0.1:9", vec![("forwarded", "for=203.0.113.7, for=10.0.0.9")], "203.0.113.7"),
            ("127.0.0.1:9", vec![], "127.0.0.1"),
            // What the client wrote into the header that its proxy does not use is not believed.
            (
                "127.0.0.1:9",
                vec![("forwarded", "for=1.2.3.4"), ("x-forwarded-for", "203.0.113.7")],
                "127.0.0.1",
            ),
            (
                "127.0.0.1:9",
                vec![("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "203.0.113.7")],
                "203.0.113.7",
            ),
            // The proxy has added a line of its own behind the client's.
            (
                "127.0.0.1:9",
                vec![("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "203.0.113.7")],
                "203.0.113.7",
            ),
            (
                "127.0.0.1:9",
                vec![("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "10.1.1.1")],
                "203.0.113.7",
            ),
            (
                "127.0.0.1:9",
                vec![("forwarded", "for=1.2.3.4"), ("forwarded", "for=203.0.113.7")],
                "203.0.113.7",
            ),
        ];
        for (socket, headers, expected) in table {
            assert_eq!(seen(socket, &headers).address.to_string(), expected, "{socket} {headers:?}");
        }
    }

    #[test]
    fn the_scheme_is_believed_from_proxies_only() {
        assert!(seen("127.0.0.1:9", &[("x-forwarded-proto", "https")]).secure);
        assert!(!seen("127.0.0.1:9", &[("x-forwarded-proto", "https, http")]).secure);
        let chain = "for=203.0.113.7;proto=https, for=10.0.0.9;proto=http";
        assert!(seen("127.0.0.1:9", &[("forwarded", chain)]).secure);
        let forged = "for=1.2.3.4;proto=https, for=203.0.113.7;proto=http";
        assert!(!seen("127.0.0.1:9", &[("forwarded", forged)]).secure);
        assert!(!seen("198.51.100.1:9", &[("x-forwarded-proto", "https")]).secure);
        assert!(seen("127.0.0.1:9", &[("forwarded", "for=1.2.3.4;proto=https")]).secure);
        // The client says it, the proxy does not.
        assert!(
            !seen("127.0.0.1:9", &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")]).secure
        );
    }

    #[test]
    fn loopback_through_a_proxy_is_not_this_machine() {
        assert!(seen("127.0.0.1:9", &[]).loopback);
        assert!(!seen("127.0.0.1:9", &[("x-forwarded-for", "203.0.113.7")]).loopback);
    }
}
