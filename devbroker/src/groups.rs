//! All groups by name: making them on first use, listing, deleting, and letting time pass in each.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;

use crate::clock::{Millis, saturating_millis};
use crate::config::Config;
use crate::group::{Group, GroupLimits};

#[derive(Debug)]
pub(crate) struct Groups {
    by_name: BTreeMap<String, Group>,
    groups_max: usize,
    limits: GroupLimits,
}

impl Groups {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            by_name: BTreeMap::new(),
            groups_max: config.limits.groups,
            limits: GroupLimits {
                members_max: config.limits.group_members,
                initial_delay: saturating_millis(config.group_initial_rebalance_delay),
            },
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Group> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.by_name.get_mut(name)
    }

    /// The group, made now if it does not exist. A group without members and offsets gives way when there are too many.
    ///
    /// # Errors
    /// `GROUP_MAX_SIZE_REACHED` when none can give way.
    pub(crate) fn get_or_create(&mut self, name: &str) -> Result<&mut Group, ResponseError> {
        if !self.by_name.contains_key(name) && self.by_name.len() >= self.groups_max {
            let disposable = self.by_name.iter().find(|(_, group)| group.is_disposable());
            let disposable = disposable.map(|(name, _)| name.clone()).ok_or(ResponseError::GroupMaxSizeReached)?;
            self.by_name.remove(&disposable);
        }
        Ok(self.by_name.entry(name.to_owned()).or_insert_with(|| Group::new(self.limits)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.by_name.iter().map(|(name, group)| (name.as_str(), group))
    }

    /// # Errors
    /// `GROUP_ID_NOT_FOUND`, `NON_EMPTY_GROUP`.
    pub(crate) fn delete(&mut self, name: &str) -> Result<(), ResponseError> {
        let group = self.by_name.get(name).ok_or(ResponseError::GroupIdNotFound)?;
        if !group.members.is_empty() {
            return Err(ResponseError::NonEmptyGroup);
        }
        self.by_name.remove(name);
        Ok(())
    }

    /// A topic is gone, and with it every offset in it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.by_name.values_mut().for_each(|group| group.offsets.forget_topic(topic));
    }

    /// True if any group moved.
    pub(crate) fn tick(&mut self, now: Millis) -> bool {
        self.by_name.values_mut().fold(false, |moved, group| group.tick(now) | moved)
    }
}
