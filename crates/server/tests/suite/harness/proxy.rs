//! Real proxies as child processes, each in a directory and on a port of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Certificate, DEADLINE, Server};

/// A running proxy in front of a server. It is stopped when the test ends.
pub struct Proxy {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    directory: PathBuf,
}

impl Proxy {
    /// nginx as its manual puts it before a WebSocket server, with kept connections to it.
    pub fn nginx(server: &Server, certificate: Option<&Certificate>) -> Self {
        let tls = certificate.map_or_else(String::new, |certificate| {
            let (chain, key) = (certificate.chain.display(), certificate.key.display());
            format!("ssl_certificate {chain}; ssl_certificate_key {key};")
        });
        let ssl = if certificate.is_some() { " ssl" } else { "" };
        Self::run(server, "nginx", |directory, port, bell| {
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .iter()
                .map(|kind| format!("{kind}_temp_path {}/{kind};\n", directory.display()))
                .collect();
            let config = format!(
                "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log info;\n\
                 events {{ worker_connections 256; }}\n\
                 http {{\n access_log off; {temporary}\n\
                 map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n\
                 upstream bell {{ server {bell}; keepalive 1; }}\n\
                 server {{ listen 127.0.0.1:{port}{ssl}; {tls}\n location / {{ proxy_pass http://bell;\n\
                 proxy_http_version 1.1; proxy_set_header Host $http_host;\n\
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;\n\
                 proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
                 proxy_set_header X-Forwarded-Proto $scheme; proxy_read_timeout 1h; }} }} }}\n",
                directory.display()
            );
            let file = write(directory, "nginx.conf", &config);
            let mut command = Command::new("/usr/sbin/nginx");
            command.arg("-p").arg(directory).arg("-c").arg(file).arg("-e").arg(directory.join("error.log"));
            command
        })
    }

    /// HAProxy, which adds a line of its own for the client's address.
    pub fn haproxy(server: &Server) -> Self {
        Self::haproxy_with(server, "option forwardfor")
    }

    /// HAProxy that speaks of its client by the standard's header.
    pub fn haproxy_forwarded(server: &Server) -> Self {
        Self::haproxy_with(server, "http-request set-header Forwarded for=%[src];proto=http")
    }

    fn haproxy_with(server: &Server, line: &str) -> Self {
        Self::run(server, "haproxy", |directory, port, bell| {
            let config = format!(
                "defaults\n mode http\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n \
                 timeout tunnel 1h\n http-reuse always\nfrontend door\n bind 127.0.0.1:{port}\n {line}\n \
                 default_backend bell\nbackend bell\n server bell {bell}\n"
            );
            let mut command = Command::new("/usr/sbin/haproxy");
            command.arg("-db").arg("-f").arg(write(directory, "haproxy.cfg", &config));
            command
        })
    }

    /// Apache, which does not pass the browser's `Host` on unless it is told to.
    pub fn apache(server: &Server) -> Self {
        Self::run(server, "apache", |directory, port, bell| {
            let modules: String = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel"]
                .iter()
                .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
                .collect();
            let config = format!(
                "ServerRoot {0}\nServerName localhost\nPidFile {0}/pid\nMutex file:{0} default\n\
                 ErrorLog {0}/error.log\nListen 127.0.0.1:{port}\nUser www-data\nGroup www-data\n{modules}\
                 DocumentRoot {0}\nProxyPass / http://{bell}/ upgrade=websocket timeout=3600\n",
                directory.display()
            );
            let mut command = Command::new("/usr/sbin/apache2");
            command.arg("-f").arg(write(directory, "apache.conf", &config)).arg("-DFOREGROUND");
            command
        })
    }

    /// Starts a proxy whose command is made for a directory, a free port and the server's address.
    pub fn run(server: &Server, name: &str, command: impl Fn(&Path, u16, SocketAddr) -> Command) -> Self {
        // The port is free now; should another program take it in between, the next try has another.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let directory = server.data.join(format!("{name}-{port}"));
            std::fs::create_dir_all(&directory).unwrap();
            let mut command = command(&directory, port, server.address);
            let log = std::fs::File::create(directory.join("start.log")).unwrap();
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}; run setup.sh"));
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut proxy = Self { child, address, directory };
            if proxy.is_up() {
                return proxy;
            }
        }
        panic!("{name} does not start")
    }

    fn is_up(&mut self) -> bool {
        let begun = std::time::Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if self.child.try_wait().unwrap().is_some() || begun.elapsed() > DEADLINE {
                eprintln!("{}", self.log());
                return false;
            }
        }
        true
    }

    fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        ["start.log", "error.log"].map(read).concat()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the proxy\n{}", self.log());
        }
        // Asked, not killed: only then does it end its own children.
        let asked = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Writes a file; gives its path.
pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    std::fs::write(&file, text).unwrap();
    file
}
