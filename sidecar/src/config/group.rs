//! Groups of this machine by name.

use std::fs;

/// Where the system keeps them. Groups of a directory service are not asked for: Picket must come up without network.
const FILE: &str = "/etc/group";

/// The number of the group called `name` in this machine's own list.
pub(super) fn number(name: &str) -> Option<u32> {
    find(&fs::read_to_string(FILE).ok()?, name)
}

fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\npicket:x:998:alice,bob\nbroken\nempty:x::\n";
        assert_eq!(find(groups, "picket"), Some(998));
        assert_eq!(find(groups, "root"), Some(0));
        for none in ["pick", "alice", "broken", "empty", ""] {
            assert_eq!(find(groups, none), None, "{none}");
        }
    }
}
