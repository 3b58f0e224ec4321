//! Fields become a plea.

use deskbell_core::ids::{EventId, ExternalRef, ResourceId, SourceName};
use deskbell_core::limits;
use deskbell_core::refusal::Refusal;
use deskbell_core::reservation::{Act, Fence, Plea, Span};
use serde_json::value::RawValue;
use std::sync::Arc;

use super::kind::Kind;
use super::parts::{
    claims, email, external_ref, fence, list, meta, needed_time, replace, resource, ttl, wish, within,
};
use super::resource as resources;
use crate::native::fields::{Fields, bad_field};

/// Reads the body of a request. An empty one is an object without fields.
pub fn body(kind: Kind, text: &str) -> Result<Plea, Refusal> {
    let mut fields = Fields::of_body();
    if !text.trim_ascii().is_empty() {
        fields.read(text)?;
    }
    fields.only("this request", kind.fields())?;
    plea(kind, &mut fields, None)
}

/// Reads what is left of a frame or a body when it is known what it asks for.
pub fn plea(kind: Kind, fields: &mut Fields<'_>, key: Option<EventId>) -> Result<Plea, Refusal> {
    let body = fields.hash() ^ deskbell_core::position::fnv(kind.about().as_bytes());
    let mut shown = None;
    let act = act(kind, fields, &mut shown)?;
    Ok(Plea { act, fence: shown, key, body })
}

fn act(kind: Kind, fields: &mut Fields<'_>, shown: &mut Option<Fence>) -> Result<Act, Refusal> {
    Ok(match kind {
        Kind::Hold => Act::Hold { ttl: ttl(fields)?, replace: replace(fields)?, wish: wish(fields)? },
        Kind::Extend(id) => {
            *shown = Some(needed_fence(fields)?);
            Act::Extend { id, fence: 0, ttl: ttl(fields)? }
        }
        Kind::Release(id) => {
            *shown = fence(fields)?;
            Act::Release { id, fence: None }
        }
        Kind::Confirm(id) => {
            *shown = Some(needed_fence(fields)?);
            Act::Confirm {
                id,
                fence: 0,
                if_still_free: fields.switch("if_still_free")?.unwrap_or(false),
                external_ref: external_ref(fields)?,
                email: email(fields)?,
                meta: meta(fields)?,
            }
        }
        Kind::Book => book(fields)?,
        Kind::Step(id, step) => Act::Step { id, step, version: fields.number("version")? },
        Kind::Reschedule(id) => {
            let raw = fields.present("claims").ok_or_else(|| bad_field("claims", "is missing"))?;
            Act::Reschedule { id, claims: claims("claims", raw)?, version: fields.number("version")? }
        }
        Kind::Link(id) => Act::Link { id, external_ref: needed_ref(fields)? },
        Kind::Block(source) => block(source, fields)?,
        Kind::PutResource(id) => Act::PutResource(Box::new(resources::wish(id, fields)?)),
        Kind::Join => Act::Join { wish: wish(fields)? },
        Kind::Leave(id) => Act::Leave { id },
        Kind::Accept(id) => Act::Accept { id },
    })
}

fn needed_fence(fields: &mut Fields<'_>) -> Result<Fence, Refusal> {
    fence(fields)?
        .ok_or_else(|| bad_field("fence", "is missing; send the one that the hold was granted with"))
}

fn needed_ref(fields: &mut Fields<'_>) -> Result<ExternalRef, Refusal> {
    external_ref(fields)?
        .ok_or_else(|| bad_field("external_ref", "is missing; what is it called in your database?"))
}

/// A booking, or an override where `override` says why.
fn book(fields: &mut Fields<'_>) -> Result<Act, Refusal> {
    let (wish, external_ref) = (wish(fields)?, external_ref(fields)?);
    let Some(raw) = fields.present("override") else { return Ok(Act::Book { wish, external_ref }) };
    let read = |raw: &RawValue| {
        let mut fields = Fields::of_object(raw, "override", &["reason", "force"])?;
        let reason = fields.text("reason")?.ok_or_else(|| bad_field("reason", "is missing; say why"))?;
        Ok((Arc::<str>::from(&*reason), fields.switch("force")?.unwrap_or(false)))
    };
    let (reason, force) = read(raw).map_err(|no| within("override", no))?;
    if reason.is_empty() || reason.len() > limits::REASON {
        return Err(bad_field("override", "needs a `reason` of 1 to 500 bytes"));
    }
    Ok(Act::Override { wish, reason, force, external_ref })
}

fn block(source: SourceName, fields: &mut Fields<'_>) -> Result<Act, Refusal> {
    let as_of = needed_time(fields, "as_of")?;
    let missing = || bad_field("blocks", "is missing; send an empty list to take all blocks away");
    let raw = fields.present("blocks").ok_or_else(missing)?;
    let blocks = list("blocks", raw, limits::BLOCK_CLAIMS, "is a list of blocks")?;
    let one =
        |(at, raw): (usize, &RawValue)| one_block(raw).map_err(|no| within(&format!("blocks[{at}]"), no));
    let spans = blocks.into_iter().enumerate().map(one).collect::<Result<_, _>>()?;
    Ok(Act::Block { source, as_of, spans })
}

fn one_block(raw: &RawValue) -> Result<(ResourceId, Span), Refusal> {
    let mut fields = Fields::of_object(raw, "block", &["resource", "start", "end"])?;
    let resource = resource(&mut fields)?;
    Ok((resource, Span { start: needed_time(&mut fields, "start")?, end: needed_time(&mut fields, "end")? }))
}
