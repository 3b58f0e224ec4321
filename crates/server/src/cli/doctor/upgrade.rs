//! Opens a WebSocket through the address that browsers use, by hand, so that each step can be judged.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::Finding;
use crate::cli::CliError;
use crate::cli::connect::Url;
use crate::cli::http_client::{self, Request, Response};

/// What RFC 6455 adds to the key before it is hashed.
const ACCEPT_SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest first frame that is read; a welcome has some hundred bytes.
const LONGEST_FRAME: usize = 64 * 1024;

const PROXY_ADVICE: &str = "the proxy must pass the upgrade on; nginx: proxy_http_version 1.1; proxy_set_header \
     Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; Apache: ProxyPass with upgrade=websocket";

/// Checks health and the WebSocket upgrade through an address.
pub fn through(url: &Url, now_ms: u64) -> Vec<Finding> {
    let health = health(url);
    let reachable = health.grade != super::Grade::Fail;
    let mut findings = vec![health];
    if reachable {
        findings.push(upgrade(url, now_ms));
    }
    findings
}

fn health(url: &Url) -> Finding {
    match http_client::send(url, &Request::get("/healthz")) {
        Ok(response) if response.status == 200 => Finding::ok(format!("{url}/healthz answers")),
        // A proxy may well hide it; the upgrade is what counts.
        Ok(response) => Finding::warn(
            format!("{url}/healthz answers {}", response.status),
            "if the proxy does not hide it on purpose, it sends this path somewhere else",
        ),
        Err(error) => {
            Finding::fail(sentence(error), "check the name, the port, the firewall and the certificate")
        }
    }
}

fn sentence(error: CliError) -> String {
    match error {
        CliError::Failed(sentence) | CliError::Usage(sentence) => sentence,
        CliError::Closed => "the connection was closed".to_owned(),
    }
}

fn upgrade(url: &Url, now_ms: u64) -> Finding {
    let key = key(now_ms);
    let mut request = Request::get("/v1/ws");
    for (name, value) in [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key.as_str()),
    ] {
        request.headers.push((name, value.to_owned()));
    }
    let response = match http_client::send(url, &request) {
        Ok(response) => response,
        Err(error) => {
            return Finding::fail(format!("no upgrade through {url}: {}", sentence(error)), PROXY_ADVICE);
        }
    };
    if response.status != 101 {
        return refused(url, &response);
    }
    if response.header("sec-websocket-accept") != Some(accept(&key).as_str()) {
        return Finding::fail(
            format!("{url} answers the upgrade with a wrong Sec-WebSocket-Accept"),
            "something between here and Deskbell answers in its place; check the proxy",
        );
    }
    match first_frame(&mut response.stream()) {
        Ok(text) if text.contains("\"type\":\"welcome\"") => {
            Finding::ok(format!("a WebSocket opens through {url} and brings the welcome"))
        }
        Ok(_) => Finding::warn(
            format!("a WebSocket opens through {url}, but its first frame is no welcome"),
            "another server may stand behind this path; check the proxy",
        ),
        Err(why) => Finding::fail(
            format!("a WebSocket opens through {url}, but then {why}"),
            "the proxy must not buffer or cut upgraded connections; raise its read timeout (nginx: proxy_read_timeout)",
        ),
    }
}

fn refused(url: &Url, response: &Response) -> Finding {
    let status = response.status;
    let advice = match status {
        403 => "the server or the proxy refuses; check websocket.origins and the proxy's rules",
        404 => "the path /v1/ws does not reach Deskbell; check the proxy's path",
        429 => "the server limits this address; set trusted_proxies, or raise the limits",
        502..=504 => "the proxy does not reach Deskbell; check that it runs and where the proxy sends to",
        _ => PROXY_ADVICE,
    };
    Finding::fail(format!("{url}/v1/ws answers {status} in place of an upgrade"), advice)
}

/// A key that differs each time, so that no cache can answer. It is no secret.
fn key(now_ms: u64) -> String {
    let digest = Sha256::digest(format!("{now_ms} {}", std::process::id()));
    STANDARD.encode(&digest[..16])
}

/// The value that a server must answer this key with.
pub fn accept(key: &str) -> String {
    let text = format!("{key}{ACCEPT_SALT}");
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    STANDARD.encode(digest.as_ref())
}

/// Reads the first frame of a server, which is a short text frame that is not masked.
fn first_frame(reader: &mut impl Read) -> Result<String, String> {
    let mut read = |length: usize| -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length];
        reader
            .read_exact(&mut bytes)
            .map_err(|error| format!("no frame comes: {}", http_client::reason(&error)))?;
        Ok(bytes)
    };
    let head = read(2)?;
    if head[0] != 0x81 {
        return Err("the first frame is no text".to_owned());
    }
    let length = match head[1] {
        short @ 0..=125 => usize::from(short),
        126 => read(2)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
        _ => LONGEST_FRAME + 1,
    };
    if length > LONGEST_FRAME {
        return Err("the first frame is far too long".to_owned());
    }
    String::from_utf8(read(length)?).map_err(|_| "the first frame is no UTF-8".to_owned())
}
