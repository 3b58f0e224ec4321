//! A server and its clients, which play a transcript line by line.

use std::collections::HashMap;
use std::process::Command;

use serde_json::Value;

use super::script::Names;
use crate::harness::{Answer, SECRET, Server, Sse, Start, Ws, post, request};

/// What went wrong, for the reader of the document.
type Played = Result<(), String>;

enum Client {
    WebSocket(Box<Ws>),
    Stream(Sse),
}

pub struct Stage {
    // Only empty while the server is being started again.
    server: Option<Server>,
    clients: HashMap<String, Client>,
    answer: Option<Answer>,
    names: Names,
}

impl Stage {
    pub fn new(config: &str) -> Self {
        let start = Start::with(config).flag("--set").flag("drain=1s");
        let server = Some(Server::start(start));
        Self { server, clients: HashMap::new(), answer: None, names: Names::default() }
    }

    /// Plays one line.
    pub fn play(&mut self, line: &str) -> Played {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark.split_at_checked(mark.len().saturating_sub(1)) {
            Some(("", "!")) => self.act(rest),
            Some((name, ">")) => self.send(name, rest),
            Some(("", "<")) if rest.starts_with(|c: char| c.is_ascii_digit()) => self.expect_answer(rest),
            Some((name, "<")) => self.expect(name, rest),
            _ => Err("a line begins with !, #, or > or < behind the client's name".to_owned()),
        }
    }

    /// Nothing may have come that the transcript does not show.
    pub fn end(mut self) -> Played {
        if let Some(answer) = self.answer.take() {
            return Err(format!("this answer is not shown: {answer:?}"));
        }
        for client in self.clients.into_values() {
            if let Client::WebSocket(mut ws) = client
                && ws.closed.is_none()
            {
                ws.expect_nothing();
            }
        }
        Ok(())
    }

    fn act(&mut self, what: &str) -> Played {
        let what = self.names.fill(what);
        let (verb, rest) = what.split_once(' ').unwrap_or((&what, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (verb, &words[..]) {
            ("connect", []) => self.connect("", "/v1/ws"),
            ("connect", [name]) => self.connect(name, "/v1/ws"),
            ("connect", [name, path]) => self.connect(name, path),
            ("stream", [name, path]) => self.stream(name, path, None),
            ("stream", [name, path, "after", cursor]) => self.stream(name, path, Some(cursor)),
            ("cut", []) => self.cut(""),
            ("cut", [name]) => self.cut(name),
            ("token", [user]) => self.token(user),
            ("publish", _) => {
                let body: Value = serde_json::from_str(rest).map_err(|error| error.to_string())?;
                let answer = post(self.server(), "/v1/publish", &body);
                if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
            }
            ("crash", []) => {
                self.restart(Server::crash_and_restart);
                Ok(())
            }
            ("restart", []) => {
                self.restart(Server::stop_and_restart);
                Ok(())
            }
            ("guest", [method, path]) => self.request(method, path, None, false),
            ("GET" | "POST" | "PUT" | "DELETE", [path, ..]) => {
                let body = rest[path.len()..].trim();
                self.request(verb, path, Some(body).filter(|body| !body.is_empty()), true)
            }
            _ => Err("nobody knows how to do this".to_owned()),
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    fn connect(&mut self, name: &str, path: &str) -> Played {
        let mut ws = Ws::open_with(self.server(), path, &[])?;
        // The welcome is the first frame that the transcript shows.
        let welcome = ws.welcome.clone();
        ws.put_back(welcome);
        self.clients.insert(name.to_owned(), Client::WebSocket(Box::new(ws)));
        Ok(())
    }

    fn stream(&mut self, name: &str, path: &str, after: Option<&str>) -> Played {
        let stream = Sse::open(self.server(), path, after);
        if stream.status != 200 {
            return Err(format!("the stream was refused with {}", stream.status));
        }
        self.clients.insert(name.to_owned(), Client::Stream(stream));
        Ok(())
    }

    fn cut(&mut self, name: &str) -> Played {
        match self.clients.remove(name) {
            Some(Client::WebSocket(ws)) => drop(ws.cut()),
            Some(Client::Stream(stream)) => drop(stream),
            None => return Err("there is no such client".to_owned()),
        }
        Ok(())
    }

    fn token(&mut self, user: &str) -> Played {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deskbell"));
        command.args(["token", "--user", user, "--secret", SECRET]).current_dir(&self.server().data);
        let made = command.output().map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        self.names.set("token", token.into());
        Ok(())
    }

    fn restart(&mut self, how: impl Fn(Server) -> Server) {
        self.server = self.server.take().map(how);
    }

    fn request(&mut self, method: &str, path: &str, body: Option<&str>, secret: bool) -> Played {
        if self.answer.is_some() {
            return Err("the answer before is not shown".to_owned());
        }
        let bearer = format!("Bearer {SECRET}");
        let headers = [("Authorization", bearer.as_str())];
        let headers = if secret { &headers[..] } else { &[] };
        self.answer = Some(request(self.server(), method, path, headers, body));
        Ok(())
    }

    fn send(&mut self, name: &str, frame: &str) -> Played {
        let frame = self.names.fill(frame);
        match self.clients.get_mut(name) {
            Some(Client::WebSocket(ws)) => ws.send_text(&frame),
            _ => return Err("there is no such client that can send".to_owned()),
        }
        Ok(())
    }

    fn expect(&mut self, name: &str, shown: &str) -> Played {
        let client = self.clients.get_mut(name).ok_or("there is no such client")?;
        if let Some(code) = shown.strip_prefix("close") {
            let Client::WebSocket(ws) = client else {
                return Err("only WebSockets have close codes".to_owned());
            };
            if let Some(frame) = ws.try_next() {
                return Err(format!("first came {frame}"));
            }
            let real = ws.closed.clone().and_then(|closed| closed.code);
            let same = real.is_some_and(|real| code.trim() == real.to_string());
            return if same { Ok(()) } else { Err(format!("it closed with {real:?}")) };
        }
        let real = match client {
            Client::WebSocket(ws) => ws.try_next(),
            Client::Stream(stream) => stream.next().map(|event| event.data),
        };
        let real = real.ok_or("the connection has ended")?;
        self.compare(shown, &real)
    }

    fn expect_answer(&mut self, shown: &str) -> Played {
        let answer = self.answer.take().ok_or("nothing was asked")?;
        let (status, body) = shown.split_once(' ').unwrap_or((shown, ""));
        if status != answer.status.to_string() {
            return Err(format!("the answer is {} {}", answer.status, answer.text()));
        }
        if body.is_empty() { Ok(()) } else { self.compare(body, &answer.json()) }
    }

    fn compare(&mut self, shown: &str, real: &Value) -> Played {
        let shown: Value =
            serde_json::from_str(shown).map_err(|error| format!("this is no JSON: {error}"))?;
        if self.names.fits(&shown, real) { Ok(()) } else { Err(format!("what came is {real}")) }
    }
}
