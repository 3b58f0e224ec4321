// A site of its own: Debian's WordPress on a MariaDB, served by PHP, with a proxy in front whose lines are those of
// docs/appointease.md, and a Deskbell behind them.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { SECRET, Server } from "../server.mjs";

const run = promisify(execFile);
const HERE = import.meta.dirname;
const PATIENCE = 60_000;

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until a program listens, and says what it wrote where it ends instead. */
async function listens(child, port, said) {
  const until = Date.now() + PATIENCE;
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said()}`);
    const socket = net.connect(port, "127.0.0.1");
    const answer = await Promise.race([once(socket, "connect").then(() => true), once(socket, "close").then(() => false, () => false)])
      .catch(() => false);
    socket.destroy();
    if (answer) return;
  }
  throw new Error(`nothing listens on ${port}: ${said()}`);
}

/** The lines for a proxy, as the page for operators has them, with the addresses of this run. */
async function lines(language, address) {
  const page = await readFile(path.join(HERE, "../../docs/appointease.md"), "utf8");
  const [, found] = page.match(new RegExp("```" + language + "\\n([^]*?)```")) ?? [];
  if (!found?.includes("127.0.0.1:8080")) throw new Error(`docs/appointease.md has no lines for ${language}`);
  return found.replaceAll("127.0.0.1:8080", address);
}

export class Site {
  #children = [];

  static async start() {
    const site = new Site();
    site.folder = await mkdtemp(path.join(tmpdir(), "deskbell-wordpress-"));
    try {
      site.nginx = await freePort();
      site.apache = await freePort();
      site.url = `http://127.0.0.1:${site.nginx}`;
      const origins = [site.nginx, site.apache].map((port) => `"http://127.0.0.1:${port}"`).join(", ");
      site.deskbell = await Server.start({
        config: `trusted_proxies = ["127.0.0.1"]\n[appointease]\ntime_zone = "Europe/Oslo"\n[cors]\norigins = [${origins}]\n`,
      });
      const database = await site.#database();
      await site.#wordpress(database);
      await site.#proxies();
    } catch (error) {
      await site.close();
      throw error;
    }
    return site;
  }

  async #spawn(port, command, args, options = {}) {
    // Each leads a group of its own, so that its workers end with it.
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
    const said = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => said.push(bytes) > 100 && said.shift());
    this.#children.push(child);
    await listens(child, port, () => Buffer.concat(said).toString());
  }

  async #database() {
    const data = path.join(this.folder, "mariadb");
    await run("mariadb-install-db", [
      "--no-defaults", `--datadir=${data}`, `--tmpdir=${this.folder}`, "--auth-root-authentication-method=normal", "--skip-test-db", "--user=root",
    ]);
    const content = path.join(this.folder, "content.sql");
    await writeFile(content, [
      "CREATE DATABASE word CHARACTER SET utf8mb4;",
      "CREATE USER wp@'127.0.0.1' IDENTIFIED BY 'wp';",
      "GRANT ALL ON word.* TO wp@'127.0.0.1';",
      "CREATE TABLE word.wp_appointments (id mediumint AUTO_INCREMENT PRIMARY KEY, email varchar(100), appointment_date datetime,"
        + " employee_id mediumint, status varchar(20) DEFAULT 'confirmed');", "",
    ].join("\n"));
    const port = await freePort();
    await this.#spawn(port, "mariadbd", [
      "--no-defaults", `--datadir=${data}`, `--tmpdir=${this.folder}`, `--socket=${this.folder}/s`, `--pid-file=${this.folder}/pid`, `--init-file=${content}`,
      "--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-buffer-pool-size=32M", `--port=${port}`,
    ]);
    return port;
  }

  async #wordpress(database) {
    const root = path.join(this.folder, "wordpress");
    await run("cp", ["-r", "/usr/share/wordpress", root]);
    const set = {
      DB_NAME: "word", DB_USER: "wp", DB_PASSWORD: "wp", DB_HOST: `127.0.0.1:${database}`, DB_CHARSET: "utf8mb4",
      WP_HOME: this.url, WP_SITEURL: this.url, WP_HTTP_BLOCK_EXTERNAL: true, WP_ACCESSIBLE_HOSTS: "127.0.0.1", DISABLE_WP_CRON: true,
      DESKBELL: this.deskbell.http, DESKBELL_WS: `ws://${this.deskbell.address}`, DESKBELL_SECRET: SECRET,
    };
    const defined = Object.entries(set).map(([name, value]) => `define('${name}', ${JSON.stringify(value)});`);
    await writeFile(path.join(root, "wp-config.php"), ["<?php", ...defined, "$table_prefix = 'wp_';",
      "if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');", "require_once ABSPATH . 'wp-settings.php';", ""].join("\n"));
    const plugins = path.join(root, "wp-content/mu-plugins");
    await mkdir(plugins, { recursive: true });
    for (const file of ["plugin.php", "page.js"]) await copyFile(path.join(HERE, file), path.join(plugins, file));
    await writeFile(path.join(root, "router.php"),
      "<?php return is_file(__DIR__ . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) ? false : require __DIR__ . '/index.php';\n");
    await run("php", ["-r", `define('WP_INSTALLING', true); $_SERVER['HTTP_HOST'] = '127.0.0.1:${this.nginx}'; require 'wp-load.php';
      require ABSPATH . 'wp-admin/includes/upgrade.php'; add_filter('pre_wp_mail', '__return_true');
      wp_install('Clinic', 'admin', 'admin@example.org', true, '', wp_generate_password());
      update_option('permalink_structure', '/%postname%/');`], { cwd: root });
    this.php = await freePort();
    await this.#spawn(this.php, "php", ["-S", `127.0.0.1:${this.php}`, "-t", root, path.join(root, "router.php")],
      { env: { ...process.env, PHP_CLI_SERVER_WORKERS: "4" } });
  }

  async #proxies() {
    const folder = this.folder;
    const nginx = path.join(folder, "nginx.conf");
    await writeFile(nginx, `daemon off; pid ${folder}/nginx.pid; error_log stderr; events {}
      http { access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
      uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/c; server { listen 127.0.0.1:${this.nginx};
      ${await lines("nginx", this.deskbell.address)}
      location / { proxy_pass http://127.0.0.1:${this.php}; proxy_set_header Host $http_host; } } }\n`);
    await this.#spawn(this.nginx, "nginx", ["-p", folder, "-e", "stderr", "-c", nginx]);
    const modules = ["mpm_event", "authz_core", "proxy", "proxy_http"];
    const apache = path.join(folder, "apache.conf");
    await writeFile(apache, [
      `ServerRoot "${folder}"`, `PidFile "${folder}/apache.pid"`, `ErrorLog "${folder}/apache.log"`, `Listen 127.0.0.1:${this.apache}`,
      "ServerName 127.0.0.1", ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
      `<VirtualHost 127.0.0.1:${this.apache}>`, await lines("apache", this.deskbell.address),
      `ProxyPass "/" "http://127.0.0.1:${this.php}/"`, "</VirtualHost>", "",
    ].join("\n"));
    await this.#spawn(this.apache, "apache2", ["-f", apache, "-DFOREGROUND"]);
  }

  /** Somebody books at the site, which tells Deskbell in one of the forms. */
  async book(form, date, proxy = this.nginx) {
    const body = JSON.stringify({ form, date, email: "ann@example.org" });
    const answer = await fetch(`http://127.0.0.1:${proxy}/wp-json/clinic/v1/book`, {
      method: "POST", headers: { "content-type": "application/json" }, body,
    });
    if (!answer.ok) throw new Error(`booking: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async close() {
    for (const child of this.#children.reverse()) {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid, "SIGKILL");
        await once(child, "exit");
      }
    }
    await this.deskbell?.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
