//! A real authority on this machine: Pebble, the small ACME server of Let's Encrypt, and a name
//! server that sends it to us. Both are programs of the Debian package `pebble`.

use super::{Issuer, SOON, Scratch};
use crate::identity::fetch::Endpoint;
use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A running program, ended with its test. What it said is shown where the test failed.
struct Program(Child, std::path::PathBuf);

impl Program {
    fn start(scratch: &Scratch, command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = scratch.0.join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stderr(out.try_clone().unwrap()).stdout(out).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{name} does not start ({error}); install it: apt-get install pebble")
        });
        Self(child, log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.1.display(), std::fs::read_to_string(&self.1).unwrap_or_default());
        }
    }
}

/// An authority that issues for every name whose port `tls_port` on this machine answers.
pub struct Authority {
    pub directory: String,
    /// Whom to trust when talking to the authority.
    pub own_root: String,
    /// Whom to trust when talking to those who have its certificates.
    pub issued_root: String,
    _programs: [Program; 2],
}

impl Authority {
    pub async fn start(scratch: &Scratch, tls_port: u16) -> Self {
        let issuer = Issuer::new();
        let (certificate, key) = issuer.issue("localhost", (2020, 2090));
        let (port, management, names, names_management) = (free(), free(), free(), free());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": scratch.write("authority.pem", certificate),
            "privateKey": scratch.write("authority.key.pem", key),
            "httpPort": 9,
            "tlsPort": tls_port,
        }});
        let config = scratch.write("pebble.json", config.to_string());
        let names = format!("127.0.0.1:{names}");
        let programs = [
            Program::start(
                scratch,
                Command::new("pebble-challtestsrv")
                    .args(["-dns01", &names, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
                    .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
                    .args(["-management", &format!("127.0.0.1:{names_management}")]),
            ),
            Program::start(
                scratch,
                // By chance it would wait some seconds before each look, and refuse every twentieth
                // request, which costs the whole order and a wait that doubles each time.
                Command::new("pebble")
                    .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")])
                    .args(["-config", config.to_str().unwrap(), "-dnsserver", &names]),
            ),
        ];
        let own_root = issuer.root();
        let issued_root = issued_root(management, &own_root).await;
        Self {
            directory: format!("https://localhost:{port}/dir"),
            own_root,
            issued_root,
            _programs: programs,
        }
    }
}

/// The root of what the authority issues, as soon as it is up.
async fn issued_root(management: u16, own_root: &str) -> String {
    let url = format!("https://localhost:{management}/roots/0");
    let root = Endpoint::new(&url, Some(own_root.as_bytes())).unwrap();
    let until_up = async {
        loop {
            match root.fetch().await {
                Ok(pem) => return pem,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let pem = tokio::time::timeout(SOON, until_up).await.expect("the authority starts");
    String::from_utf8(pem.to_vec()).unwrap()
}

/// A port that is free for both protocols now, and that stays so until it is used: the system gives ports from
/// 32,768 on to whoever asks for any, and nobody else here is given the same one.
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = std::process::id().wrapping_mul(97) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + (offset % 12_000) as u16;
        let here = ("127.0.0.1", port);
        if TcpListener::bind(here).is_ok() && UdpSocket::bind(here).is_ok() {
            return port;
        }
    }
}
