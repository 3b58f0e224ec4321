//! Makes from the settings what channels are, who may do what on them, and how they are shown.

use deskbell_core::access::{self, Action, Audience, Rule, Rules};
use deskbell_core::class::{Class, Classes, Retention, Shape};
use deskbell_core::limits;
use deskbell_core::pattern::Pattern;
use deskbell_core::projection::Table;

use super::StartError;
use crate::config::{AccessRuleText, ChannelClass, ChannelRule, Settings};

/// The class rules.
pub fn classes(settings: &Settings) -> Result<Classes, StartError> {
    let mut rules = Vec::new();
    for rule in &settings.channels {
        let pattern = pattern(&rule.pattern)?;
        rules.push((pattern, class(rule)));
    }
    for own in [crate::portico::applications::PATTERN, crate::appointease::persons::PATTERN] {
        let mut class = Class::of_shape(Shape::Latest);
        class.retention.bytes = limits::LONGEST_LIST;
        rules.push((pattern(own)?, class));
    }
    let mut otherwise = Class::of_shape(Shape::Stream);
    let history = &settings.history;
    otherwise.retention =
        Retention { events: history.count as usize, bytes: history.bytes as usize, age: history.age_ms };
    Ok(Classes::new(rules, otherwise))
}

fn class(rule: &ChannelRule) -> Class {
    let shape = match rule.class {
        ChannelClass::Stream => Shape::Stream,
        ChannelClass::Latest => Shape::Latest,
        ChannelClass::Ephemeral => Shape::Ephemeral,
    };
    Class {
        shape,
        durable: rule.durable,
        presence: rule.presence,
        retention: Retention {
            events: rule.history_count as usize,
            bytes: rule.history_bytes as usize,
            age: rule.history_age_ms,
        },
    }
}

fn pattern(text: &str) -> Result<Pattern, StartError> {
    Pattern::parse(text).map_err(|error| StartError(format!("the pattern \"{text}\": {error}")))
}

/// The access rules.
pub fn rules(settings: &Settings) -> Result<Rules, StartError> {
    if settings.dev {
        return Ok(access::dev_rules());
    }
    if settings.access.is_empty() {
        return Ok(access::default_rules());
    }
    settings.access.iter().map(rule).collect::<Result<Vec<_>, _>>().map(Rules::new)
}

/// What clients of each dialect are shown under their own names.
pub fn projections(settings: &Settings) -> Result<Table, StartError> {
    Table::with_seeds(settings.projections.clone()).map_err(StartError::new)
}

fn rule(text: &AccessRuleText) -> Result<Rule, StartError> {
    let to = match text.to.as_str() {
        "everyone" => Audience::Everyone,
        "user" => Audience::User,
        other => match other.strip_prefix("role:") {
            Some(role) => Audience::Role(role.to_owned()),
            None => {
                return Err(StartError(format!(
                    "access.to = \"{other}\": write everyone, user or role:NAME"
                )));
            }
        },
    };
    let action = |word: &String| {
        Action::parse(word).ok_or_else(|| {
            StartError(format!("access.allow: \"{word}\" is no action; write one of {}", access::words()))
        })
    };
    Ok(Rule {
        pattern: pattern(&text.pattern)?,
        allow: text.allow.iter().map(action).collect::<Result<_, _>>()?,
        to,
    })
}
