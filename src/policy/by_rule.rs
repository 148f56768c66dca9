//! Policies by rule: which policy a device must obey, and whether it may talk, by what it says of itself and by whose it is.
//!
//! The groups a rule names are those of the book, and those of the directory.
//!
//! The rules stand in an order, and the first that matches decides. What somebody decided about one user or one device counts more.
//! A device that has not said its model or system yet matches no rule that asks for them, but those with `*`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Access;
use crate::ledger::Device;

/// All rules, in their order, with the groups they name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleBook {
    /// Groups of users, by the names they sign in with.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// The rules; the first that matches decides.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<DeviceRule>,
}

/// One rule. What is not given matches everything; `*` stands for any characters and `?` for one, in any letter case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceRule {
    /// DeviceType, such as `iPhone` or `SAMSUNG*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// Model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Operating system, such as `Android 9*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// User-Agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// A group its user is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The policy it must obey; the default one where none is given, or where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether it may talk, where nobody decided about it; what counts for new devices where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
}

impl RuleBook {
    /// The rule that decides about a device of this user; `groups` are those the directory has the user in.
    pub fn rule_for(
        &self,
        device: &Device,
        user: &str,
        groups: &BTreeSet<String>,
    ) -> Option<&DeviceRule> {
        self.rules.iter().find(|rule| self.matches(rule, device, user, groups))
    }

    /// Whether a rule asks in which groups a user is.
    pub fn asks_for_groups(&self) -> bool {
        self.rules.iter().any(|rule| rule.group.is_some())
    }

    fn matches(
        &self,
        rule: &DeviceRule,
        device: &Device,
        user: &str,
        groups: &BTreeSet<String>,
    ) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_deref().is_none_or(|pattern| is_like(text, pattern))
        };
        let in_group = |group: &String| {
            let members = self.groups.get(group);
            members.is_some_and(|members| members.iter().any(|m| m.eq_ignore_ascii_case(user)))
                || groups.contains(&group.to_lowercase())
        };
        fits(&rule.device_type, &device.device_type)
            && fits(&rule.model, &device.model)
            && fits(&rule.os, &device.os)
            && fits(&rule.user_agent, &device.user_agent)
            && rule.group.as_ref().is_none_or(in_group)
    }

    /// What is wrong with the book, in words; that its policies exist, and the groups that are not its own, is for the caller to see.
    pub fn wrong(&self) -> Option<String> {
        let members: usize = self.groups.values().map(BTreeSet::len).sum();
        if self.rules.len() > RULES_MAX || members > MEMBERS_MAX {
            return Some(format!("at most {RULES_MAX} rules, and {MEMBERS_MAX} users in groups"));
        }
        self.rules.iter().zip(1..).find_map(|(rule, number)| {
            let what = wrong_with(rule)?;
            Some(format!("rule {number}: {what}"))
        })
    }

    /// The groups its rules name that are not its own.
    pub fn groups_elsewhere(&self) -> impl Iterator<Item = &str> {
        let named = self.rules.iter().filter_map(|rule| rule.group.as_deref());
        named.filter(|group| !self.groups.contains_key(*group))
    }
}

fn wrong_with(rule: &DeviceRule) -> Option<String> {
    if rule.policy.is_none() && rule.access.is_none() {
        return Some("it says neither policy nor access".to_owned());
    }
    let patterns = [&rule.device_type, &rule.model, &rule.os, &rule.user_agent];
    let is_long = |pattern: &&String| pattern.chars().count() > PATTERN_CHARS_MAX;
    let long = patterns.into_iter().flatten().any(|pattern| is_long(&pattern));
    long.then(|| format!("a pattern has at most {PATTERN_CHARS_MAX} characters"))
}

/// Whether a text is like a pattern with `*` and `?`, in any letter case. Takes at most text times pattern steps.
fn is_like(text: &str, pattern: &str) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (text, pattern) = (lower(text), lower(pattern));
    let (mut at, mut sign) = (0, 0);
    // Where the last star stands, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(sign) {
            Some('*') => {
                star = Some((sign, at));
                sign += 1;
            }
            Some(&one) if one == '?' || one == text[at] => (at, sign) = (at + 1, sign + 1),
            _ => match star {
                Some((stands, taken)) => {
                    star = Some((stands, taken + 1));
                    (at, sign) = (taken + 1, stands + 1);
                }
                None => return false,
            },
        }
    }
    pattern[sign..].iter().all(|sign| *sign == '*')
}

/// Rules at most: they are read for every request.
const RULES_MAX: usize = 200;
/// Users in all groups together.
const MEMBERS_MAX: usize = 10_000;
/// Characters of a pattern.
const PATTERN_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (text, pattern) in [
            ("iPhone", "iphone"),
            ("SAMSUNGSMG998B", "samsung*"),
            ("Android 13", "android 1?"),
            ("Apple-iPhone17C1/2301.341", "*iphone17*/23*"),
            ("", "*"),
            ("", ""),
            ("aab", "*ab"),
            ("Ärger", "är*"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in
            [("iPhone", "iPad"), ("iPhone", "iPhon"), ("", "?"), ("abc", "a*d"), ("abc", "")]
        {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
        let (text, pattern) = ("a".repeat(256), format!("{}b", "a*".repeat(120)));
        assert!(!is_like(&text, &pattern), "and it ends soon");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let book = |toml: &str| toml::from_str::<RuleBook>(toml).unwrap();
        let good = book(
            "[groups]\nboard = [\"ann\"]\n[[rule]]\ngroup = \"board\"\npolicy = \"strict\"\n\
             [[rule]]\nos = \"Android 9*\"\naccess = \"quarantine\"\n",
        );
        assert_eq!(good.wrong(), None);
        assert_eq!(good.rules[1].access, Some(Access::Quarantine));
        let nothing = book("[[rule]]\nos = \"*\"").wrong().unwrap();
        assert!(nothing.starts_with("rule 1:") && nothing.contains("neither"), "{nothing}");
        let elsewhere = book("[[rule]]\ngroup = \"x\"\npolicy = \"a\"");
        assert_eq!(elsewhere.groups_elsewhere().collect::<Vec<_>>(), ["x"]);
        assert_eq!(good.groups_elsewhere().count(), 0);
        let long = format!("[[rule]]\npolicy = \"a\"\nos = \"{}\"", "x".repeat(300));
        assert!(book(&long).wrong().is_some());
        assert!(toml::from_str::<RuleBook>("[[rule]]\nmodell = \"x\"").is_err());
    }
}
