//! Fields that several bodies have: claims, times, people, fences.

use std::sync::Arc;

use deskbell_core::ids::{ExternalRef, ReservationId, ResourceId, UserId};
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Claim, Fence, Ttl, Wish};
use serde_json::value::RawValue;

use super::time;
use crate::native::fields::{Fields, bad_field};
use crate::native::json;

/// Bytes of an e-mail address (RFC 5321).
const EMAIL: usize = 254;
/// Bytes of a sealed fence: one of ours has 32.
const FENCE: usize = 64;

/// The wish of a hold, a booking, or an entry of a waitlist: `claims` or `any_of`, and for whom.
pub fn wish(fields: &mut Fields<'_>) -> Result<Wish, Refusal> {
    let any_of = match (fields.present("claims"), fields.present("any_of")) {
        (Some(one), None) => vec![claims("claims", one)?],
        (None, Some(many)) => any_of(many)?,
        (Some(_), Some(_)) => return Err(bad_field("any_of", "and `claims` exclude each other; send one")),
        (None, None) => {
            return Err(bad_field("claims", "is missing; name what is to be claimed, here or in `any_of`"));
        }
    };
    Ok(Wish { any_of, holder: user(fields, "holder")?, email: email(fields)?, meta: meta(fields)? })
}

fn any_of(raw: &RawValue) -> Result<Vec<Vec<Claim>>, Refusal> {
    let sets = list("any_of", raw, limits::ANY_OF, "is a list of lists of claims")?;
    let sets = sets.into_iter().enumerate();
    sets.map(|(at, set)| claims(&format!("any_of[{at}]"), set)).collect()
}

/// A list of claims.
pub fn claims(name: &str, raw: &RawValue) -> Result<Vec<Claim>, Refusal> {
    let claims = list(name, raw, limits::CLAIMS, "is a list of claims")?;
    let claims = claims.into_iter().enumerate();
    claims.map(|(at, one)| claim(one).map_err(|no| within(&format!("{name}[{at}]"), no))).collect()
}

fn claim(raw: &RawValue) -> Result<Claim, Refusal> {
    let mut fields = Fields::of_object(raw, "claim", &["resource", "start", "end", "units"])?;
    let resource = resource(&mut fields)?;
    let (start, end) = (needed_time(&mut fields, "start")?, needed_time(&mut fields, "end")?);
    let units = fields.number("units")?.unwrap_or(1);
    let units = u32::try_from(units).ok().filter(|units| *units <= limits::CAPACITY);
    let units = units.ok_or_else(|| bad_field("units", "is 1 to 1,000,000"))?;
    Ok(Claim { resource, start, end, units })
}

/// The items of a list of at most so many.
pub fn list<'a>(
    name: &str,
    raw: &'a RawValue,
    most: usize,
    rule: &str,
) -> Result<Vec<&'a RawValue>, Refusal> {
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| bad_field(name, rule))?;
    if items.len() > most {
        let message = format!("`{name}` has at most {most} entries; send the others in another request");
        return Err(Refusal::new(Code::LimitReached, message));
    }
    Ok(items)
}

/// A refusal of something inside of a list, with its place.
pub fn within(place: &str, no: Refusal) -> Refusal {
    Refusal::new(no.code, format!("{place}: {}", no.message))
}

/// The field `resource`.
pub fn resource(fields: &mut Fields<'_>) -> Result<ResourceId, Refusal> {
    let text = fields.text("resource")?.ok_or_else(|| bad_field("resource", "is missing"))?;
    ResourceId::parse(&text).map_err(|no| named("resource", no))
}

/// A time that must be there.
pub fn needed_time(fields: &mut Fields<'_>, name: &str) -> Result<Millis, Refusal> {
    let missing = || bad_field(name, "is missing; give a time with its offset, or milliseconds since 1970");
    let raw = fields.present(name).ok_or_else(missing)?;
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).map_err(|_| bad_field(name, "is no text"))?;
        return time::of_text(name, &text);
    }
    time::of_number(name, Some(whole(name, raw)?))
}

/// A whole number. JSON has one kind of numbers, so `600000.0` is one too.
pub fn whole(name: &str, raw: &RawValue) -> Result<u64, Refusal> {
    // Beyond this a double no longer tells two neighbours apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Ok(number) = raw.get().parse() {
        return Ok(number);
    }
    let number: Option<f64> = serde_json::from_str(raw.get()).ok();
    let exact = number.filter(|number| number.fract() == 0.0 && (0.0..=EXACT).contains(number));
    exact.map(|number| number as u64).ok_or_else(|| bad_field(name, "is a whole number, 0 or more"))
}

/// How long a hold shall last: `null` is for ever, nothing is as usual.
pub fn ttl(fields: &mut Fields<'_>) -> Result<Ttl, Refusal> {
    match fields.take("ttl_ms") {
        None => Ok(Ttl::Usual),
        Some(raw) if raw.get() == "null" => Ok(Ttl::Endless),
        Some(raw) => whole("ttl_ms", raw).map(Ttl::For),
    }
}

/// The fence, in either of its forms.
pub fn fence(fields: &mut Fields<'_>) -> Result<Option<Fence>, Refusal> {
    let Some(raw) = fields.present("fence") else { return Ok(None) };
    if !raw.get().starts_with('"') {
        return whole("fence", raw).map(|number| Some(Fence::Number(number)));
    }
    let text: Option<String> = serde_json::from_str(raw.get()).ok();
    let text = text.filter(|text| text.len() <= FENCE);
    text.map(|text| Some(Fence::Sealed(text.into())))
        .ok_or_else(|| bad_field("fence", "is no fence; send it as the hold's grant gave it"))
}

/// A user's id.
pub fn user(fields: &mut Fields<'_>, name: &str) -> Result<Option<UserId>, Refusal> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    UserId::parse(&text).map(Some).map_err(|no| self::named(name, no))
}

/// The field `replace`.
pub fn replace(fields: &mut Fields<'_>) -> Result<Option<ReservationId>, Refusal> {
    let Some(text) = fields.text("replace")? else { return Ok(None) };
    ReservationId::parse(&text).map(Some).map_err(|no| named("replace", no))
}

/// The field `external_ref`.
pub fn external_ref(fields: &mut Fields<'_>) -> Result<Option<ExternalRef>, Refusal> {
    fields.text("external_ref")?.map(|text| ExternalRef::parse(&text)).transpose()
}

/// The field `email`.
pub fn email(fields: &mut Fields<'_>) -> Result<Option<Arc<str>>, Refusal> {
    let Some(text) = fields.text("email")? else { return Ok(None) };
    let sane = text.len() <= EMAIL
        && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if sane {
        Ok(Some(text.into()))
    } else {
        Err(bad_field("email", "is an e-mail address of at most 254 bytes"))
    }
}

/// The field `meta`: any JSON, kept byte for byte.
pub fn meta(fields: &mut Fields<'_>) -> Result<Option<Box<RawValue>>, Refusal> {
    let Some(raw) = fields.present("meta") else { return Ok(None) };
    if raw.get().len() > limits::META {
        let message = "`meta` has at most 4,096 bytes; keep the rest in your own database";
        return Err(Refusal::new(Code::TooLarge, message));
    }
    json::check("meta", raw.get())?;
    Ok(Some(raw.to_owned()))
}

/// A grammar's sentence with the field's name before it.
pub fn named(name: &str, no: Refusal) -> Refusal {
    Refusal::new(no.code, format!("`{name}`: {}", no.message))
}
