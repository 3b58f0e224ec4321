//! The rows of one table in a file of SQL: `mariadb-dump`, `mysqldump` and phpMyAdmin write `INSERT INTO`, with the
//! columns beside it or in `CREATE TABLE`. Everything else in the file is read over.

use super::{COLUMNS, Fault, Row};

/// The rows that a file puts into a table.
///
/// ```
/// use deskbell_wire::appointease::table::dump;
/// let rows = dump::rows("INSERT INTO `wp_a` (`id`, `email`) VALUES (7,'o\\'k@b.c'),(8,NULL);", "wp_a").unwrap();
/// assert_eq!((rows.len(), rows[0].value("email"), rows[1].value("email")), (2, Some("o'k@b.c"), None));
/// ```
pub fn rows(text: &str, table: &str) -> Result<Vec<Row>, Fault> {
    let mut reader = Reader { tokens: Tokens { text, at: 0 }, ahead: None, table, columns: Vec::new() };
    let (mut rows, mut found) = (Vec::new(), false);
    while let Some(token) = reader.next()? {
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("create") => reader.create()?,
            Token::Word(word)
                if ["insert", "replace"].iter().any(|known| word.eq_ignore_ascii_case(known)) =>
            {
                found |= reader.insert(&mut rows)?;
            }
            Token::Mark(b';') => continue,
            _ => {}
        }
        reader.skip_statement()?;
    }
    if found { Ok(rows) } else { Err(Fault::NoTable(table.to_owned())) }
}

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    /// A word or a number.
    Word(&'a str),
    /// A name between back quotes, or a text between quotes.
    Quoted(String),
    /// Anything else that is visible.
    Mark(u8),
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

struct Reader<'a> {
    tokens: Tokens<'a>,
    ahead: Option<Token<'a>>,
    table: &'a str,
    columns: Vec<String>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, Fault> {
        match self.ahead.take() {
            Some(token) => Ok(Some(token)),
            None => self.tokens.next(),
        }
    }

    fn line(&self) -> usize {
        self.tokens.line()
    }

    fn needed(&mut self) -> Result<Token<'a>, Fault> {
        self.next()?.ok_or(Fault::Broken(self.line()))
    }

    /// Takes the next piece where it is this one.
    fn takes(&mut self, mark: u8) -> Result<bool, Fault> {
        self.ahead = self.next()?;
        let is = self.ahead == Some(Token::Mark(mark));
        if is {
            self.ahead = None;
        }
        Ok(is)
    }

    fn skip_statement(&mut self) -> Result<(), Fault> {
        while let Some(token) = self.next()? {
            if token == Token::Mark(b';') {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A name, with the one of its database before it or without.
    fn name(&mut self) -> Result<Option<String>, Fault> {
        let mut name = match self.needed()? {
            Token::Word(word) => word.to_owned(),
            Token::Quoted(name) => name,
            Token::Mark(_) => return Ok(None),
        };
        while self.takes(b'.')? {
            match self.needed()? {
                Token::Word(word) => word.clone_into(&mut name),
                Token::Quoted(quoted) => name = quoted,
                Token::Mark(_) => return Err(Fault::Broken(self.line())),
            }
        }
        Ok(Some(name))
    }

    /// `CREATE TABLE name (…)`: the columns are what begins with a name in back quotes.
    fn create(&mut self) -> Result<(), Fault> {
        loop {
            match self.needed()? {
                Token::Word(word) if word.eq_ignore_ascii_case("table") => break,
                Token::Mark(b';') => {
                    self.ahead = Some(Token::Mark(b';'));
                    return Ok(());
                }
                _ => {}
            }
        }
        let mut name = self.name()?;
        while name
            .as_deref()
            .is_some_and(|word| ["if", "not", "exists"].iter().any(|known| word.eq_ignore_ascii_case(known)))
        {
            name = self.name()?;
        }
        if name.as_deref() != Some(self.table) || !self.takes(b'(')? {
            return Ok(());
        }
        self.columns.clear();
        let (mut begins, mut depth) = (true, 1);
        while depth > 0 {
            let token = self.needed()?;
            let comma = token == Token::Mark(b',');
            match token {
                Token::Mark(b'(') => depth += 1,
                Token::Mark(b')') => depth -= 1,
                Token::Quoted(name) if begins => self.column(name)?,
                _ => {}
            }
            begins = depth == 1 && comma;
        }
        Ok(())
    }

    fn column(&mut self, name: String) -> Result<(), Fault> {
        if self.columns.len() == COLUMNS {
            return Err(Fault::Wide);
        }
        self.columns.push(name);
        Ok(())
    }

    /// `INSERT … INTO name (columns) VALUES (…), (…)`. Whether it is of our table.
    fn insert(&mut self, rows: &mut Vec<Row>) -> Result<bool, Fault> {
        loop {
            match self.needed()? {
                Token::Word(word) if word.eq_ignore_ascii_case("into") => break,
                Token::Word(_) => {}
                _ => return Err(Fault::Broken(self.line())),
            }
        }
        if self.name()?.as_deref() != Some(self.table) {
            return Ok(false);
        }
        if self.takes(b'(')? {
            self.columns.clear();
            while let Some(name) = self.name()? {
                self.column(name)?;
                if !self.takes(b',')? {
                    self.expect(b')')?;
                    break;
                }
            }
        }
        if self.columns.is_empty() {
            return Err(Fault::NoColumns(self.table.to_owned()));
        }
        match self.needed()? {
            Token::Word(word) if word.eq_ignore_ascii_case("values") => {}
            _ => return Err(Fault::Broken(self.line())),
        }
        loop {
            self.expect(b'(')?;
            let row = self.values()?;
            rows.push(row);
            if !self.takes(b',')? {
                return Ok(true);
            }
        }
    }

    fn expect(&mut self, mark: u8) -> Result<(), Fault> {
        if self.takes(mark)? { Ok(()) } else { Err(Fault::Broken(self.line())) }
    }

    /// The values of a row, up to the bracket behind them.
    fn values(&mut self) -> Result<Row, Fault> {
        let mut values = Vec::with_capacity(self.columns.len());
        loop {
            if values.len() == self.columns.len() {
                return Err(Fault::Uneven(self.line()));
            }
            values.push(self.value()?);
            if !self.takes(b',')? {
                break;
            }
        }
        self.expect(b')')?;
        if values.len() != self.columns.len() {
            return Err(Fault::Uneven(self.line()));
        }
        Ok(Row::new(self.columns.iter().map(String::as_str), values))
    }

    fn value(&mut self) -> Result<Option<String>, Fault> {
        let mut token = self.needed()?;
        // `_binary 'x'` is the text with a word before it that says how it is meant.
        if matches!(token, Token::Word(word) if word.starts_with('_')) {
            token = self.needed()?;
        }
        match token {
            Token::Quoted(text) => Ok(Some(text)),
            Token::Mark(sign @ (b'-' | b'+')) => match self.needed()? {
                Token::Word(number) => Ok(Some(format!("{}{number}", char::from(sign)))),
                _ => Err(Fault::Broken(self.line())),
            },
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Ok(None),
            Token::Word(word) => Ok(Some(word.to_owned())),
            Token::Mark(_) => Err(Fault::Broken(self.line())),
        }
    }
}

impl<'a> Tokens<'a> {
    fn line(&self) -> usize {
        1 + self.text[..self.at].matches('\n').count()
    }

    fn next(&mut self) -> Result<Option<Token<'a>>, Fault> {
        loop {
            let rest = &self.text[self.at..];
            let Some(first) = rest.bytes().next() else { return Ok(None) };
            match first {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => self.skip_to("\n"),
                b'-' if is_comment(rest) => self.skip_to("\n"),
                b'/' if rest.starts_with("/*") => {
                    self.at += 2;
                    self.skip_to("*/");
                }
                b'\'' | b'"' | b'`' => return self.quoted(first).map(Some),
                first if is_of_word(first) => {
                    let length = rest.bytes().take_while(|byte| is_of_word(*byte) || *byte == b'.').count();
                    // A point divides names, and stands in numbers.
                    let word = &rest[..length];
                    let word =
                        if first.is_ascii_digit() { word } else { word.split('.').next().unwrap_or(word) };
                    self.at += word.len();
                    return Ok(Some(Token::Word(word)));
                }
                mark => {
                    // What is no letter of ASCII stands in quotes alone; its bytes are read over one by one.
                    self.at += rest.chars().next().map_or(1, char::len_utf8);
                    return Ok(Some(Token::Mark(mark)));
                }
            }
        }
    }

    fn skip_to(&mut self, end: &str) {
        let rest = &self.text[self.at..];
        self.at +=
            memchr::memmem::find(rest.as_bytes(), end.as_bytes()).map_or(rest.len(), |at| at + end.len());
    }

    /// A text or a name up to its closing quote, which is itself where it is doubled.
    fn quoted(&mut self, quote: u8) -> Result<Token<'a>, Fault> {
        let begun = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let stop = memchr::memchr2(quote, b'\\', rest.as_bytes()).ok_or_else(|| {
                self.at = begun;
                Fault::Broken(self.line())
            })?;
            text.push_str(&rest[..stop]);
            self.at += stop + 1;
            let after = self.text[self.at..].chars().next();
            match (rest.as_bytes()[stop], after) {
                (b'\\', _) if quote == b'`' => text.push('\\'),
                (b'\\', Some(letter)) => {
                    self.at += letter.len_utf8();
                    text.push(unescaped(letter));
                }
                (b'\\', None) => {}
                (_, Some(next)) if next == char::from(quote) => {
                    self.at += 1;
                    text.push(next);
                }
                _ => return Ok(Token::Quoted(text)),
            }
        }
    }
}

/// The letter that stands behind a backslash for another one.
const fn unescaped(letter: char) -> char {
    match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        'b' => '\u{8}',
        'Z' => '\u{1a}',
        other => other,
    }
}

/// Two hyphens and a blank.
fn is_comment(rest: &str) -> bool {
    rest.strip_prefix("--").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}
