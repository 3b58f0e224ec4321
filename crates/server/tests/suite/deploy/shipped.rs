//! Proxies that are configured by the files as they are shipped.

use std::path::Path;
use std::process::Command;

use super::super::harness::*;
use super::file;

/// Where the files say that Deskbell is.
const SHOWN: &str = "127.0.0.1:8080";

/// nginx with a site that has something of its own beside Deskbell.
pub fn nginx(server: &Server) -> Proxy {
    Proxy::run(server, "nginx-shipped", |directory, port, bell| {
        let snippets = directory.join("snippets");
        std::fs::create_dir_all(&snippets).unwrap();
        let bell = bell.to_string();
        write(directory, "deskbell.conf", &file("nginx/deskbell.conf", &[(SHOWN, &bell)]));
        for name in ["deskbell-locations.conf", "deskbell-proxy.conf"] {
            write(&snippets, name, &file(&format!("nginx/{name}"), &[]));
        }
        let shown = directory.display();
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = kinds.map(|kind| format!("{kind}_temp_path {shown}/{kind};\n")).concat();
        let config = format!(
            "daemon off; master_process off; pid {shown}/pid; error_log {shown}/error.log info;\n\
             events {{ worker_connections 256; }}\n\
             http {{\n access_log off; {temporary} include deskbell.conf;\n\
             server {{ listen 127.0.0.1:{port}; include snippets/deskbell-locations.conf;\n\
             location / {{ return 200 'the site'; }} }} }}\n"
        );
        let file = write(directory, "nginx.conf", &config);
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(directory).arg("-c").arg(file).arg("-e").arg(directory.join("error.log"));
        command
    })
}

/// Apache with such a site.
pub fn apache(server: &Server) -> Proxy {
    Proxy::run(server, "apache-shipped", |directory, port, bell| {
        let lines = file("apache/deskbell.conf", &[(SHOWN, &bell.to_string())]);
        apache_with(directory, port, &lines)
    })
}

/// Apache as it is in the container beside Deskbell's.
pub fn apache_of_container(server: &Server) -> Proxy {
    Proxy::run(server, "apache-container", |directory, port, bell| {
        let shown = directory.display().to_string();
        let modules = "/usr/lib/apache2/modules/mod_";
        let text = file(
            "docker/apache.conf",
            &[
                (
                    "ServerRoot /usr/local/apache2",
                    &format!("ServerRoot {shown}\nMutex file:{shown} default\nPidFile {shown}/pid"),
                ),
                // Debian's Apache has it built in.
                ("LoadModule unixd_module modules/mod_unixd.so\n", ""),
                ("modules/mod_", modules),
                ("Listen 80\n", &format!("Listen 127.0.0.1:{port}\n")),
                ("websocket:8080", &bell.to_string()),
            ],
        );
        apache_command(directory, &text)
    })
}

fn apache_with(directory: &Path, port: u16, lines: &str) -> Command {
    // What the file says to enable, and what every Apache has.
    let modules: String = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "headers"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    let shown = directory.display();
    let config = format!(
        "ServerRoot {shown}\nServerName localhost\nPidFile {shown}/pid\nMutex file:{shown} default\n\
         ErrorLog {shown}/error.log\nListen 127.0.0.1:{port}\nUser www-data\nGroup www-data\n{modules}\
         DocumentRoot {shown}\nErrorDocument 404 \"the site\"\n{lines}\n"
    );
    apache_command(directory, &config)
}

fn apache_command(directory: &Path, config: &str) -> Command {
    let mut command = Command::new("/usr/sbin/apache2");
    command.arg("-f").arg(write(directory, "apache.conf", config)).arg("-DFOREGROUND");
    command
}

/// HAProxy with a certificate, in front of two servers.
pub fn haproxy(one: &Server, two: &Server, certificate: &Certificate) -> Proxy {
    Proxy::run(one, "haproxy-shipped", |directory, port, bell| {
        let read = |path| std::fs::read_to_string(path).unwrap();
        let both = write(directory, "site.pem", &(read(&certificate.chain) + &read(&certificate.key)));
        let text = file(
            "haproxy/deskbell.cfg",
            &[
                ("bind :443", &format!("bind 127.0.0.1:{port}")),
                ("/etc/haproxy/site.pem", both.to_str().unwrap()),
                ("127.0.0.1:8081", &bell.to_string()),
                ("127.0.0.1:8082", &two.address.to_string()),
            ],
        );
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-db").arg("-f").arg(write(directory, "haproxy.cfg", &text));
        command
    })
}
