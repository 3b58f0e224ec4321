//! The query of a request: each parameter once, none that nobody knows.

use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::http_head;

use super::problem::{bad_field, shown};

/// Parameters that every route knows: the app, a signature, and what browsers' libraries add
/// against caches.
const COMMON: [&str; 7] =
    ["app", "auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5", "_"];

/// The decoded parameters.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query.
    pub fn parse(raw: Option<&str>) -> Result<Self, Refusal> {
        let mut list: Vec<(String, String)> = Vec::new();
        for (name, value) in http_head::query_pairs(raw.unwrap_or_default()) {
            if list.iter().any(|(known, _)| *known == name) {
                return Err(bad_field(&shown(&name), "stands in the query twice; send it once"));
            }
            list.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(list))
    }

    /// A parameter; an empty one counts as absent, because forms and templates send such.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// Refuses parameters beside the known ones: a misspelt `cursor` must not begin at the head.
    pub fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let unknown = |(name, _): &&(String, String)| {
            !known.contains(&name.as_str()) && !COMMON.contains(&name.as_str())
        };
        let Some((name, _)) = self.0.iter().find(unknown) else { return Ok(()) };
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message = format!("`{}` is no parameter of this route; it has: {known}", shown(name));
        Err(Refusal::new(Code::BadField, message))
    }

    /// A whole number; what is beyond the bound is taken as the bound.
    pub fn number(&self, name: &str, otherwise: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.get(name) else { return Ok(otherwise) };
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad_field(name, "must be a whole number"));
        }
        // Digits that do not fit are a number beyond every bound.
        Ok(text.parse().unwrap_or(most).min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_known() {
        let query = Query::parse(Some("channels=a%2Cb&cursor=&app=k&_=123")).unwrap();
        assert_eq!(query.get("channels"), Some("a,b"));
        assert_eq!(query.get("cursor"), None);
        assert!(query.only(&["channels", "cursor"]).is_ok());
        let no = query.only(&["channels"]).unwrap_err();
        assert!(no.message.contains("`cursor`") && no.message.contains("channels"), "{no}");
        assert!(Query::parse(None).unwrap().only(&[]).is_ok());
    }

    #[test]
    fn a_parameter_that_stands_twice_is_refused() {
        assert_eq!(Query::parse(Some("a=1&a=2")).map(|_| ()).map_err(|no| no.code), Err(Code::BadField));
    }

    #[test]
    fn numbers_are_bounded() {
        let query = |raw| Query::parse(Some(raw)).unwrap().number("n", 5, 10);
        assert_eq!(query(""), Ok(5));
        assert_eq!(query("n=7"), Ok(7));
        assert_eq!(query("n=11"), Ok(10));
        assert_eq!(query("n=99999999999999999999999"), Ok(10));
        for bad in ["n=-1", "n=1.5", "n=x", "n=+1x"] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }
}
