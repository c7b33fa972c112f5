//! Finds a cycle in a graph.

/// A cycle, if there is one: nodes each of which needs the next, and the last of which needs the first. `needs[n]` is what node `n`
/// needs; numbers that are no nodes are passed over.
#[must_use]
pub fn cycle(needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    // 0 not seen, 1 on the path, 2 done. Without recursion, so that a long plan needs no deep stack.
    let mut state = vec![0_u8; needs.len()];
    for start in 0..needs.len() {
        if state[start] != 0 {
            continue;
        }
        let mut path = vec![(start, 0)];
        state[start] = 1;
        while let Some((node, next)) = path.last_mut() {
            let Some(&need) = needs[*node].get(*next) else {
                state[*node] = 2;
                path.pop();
                continue;
            };
            *next += 1;
            match state.get(need) {
                Some(0) => {
                    state[need] = 1;
                    path.push((need, 0));
                }
                Some(1) => {
                    let nodes: Vec<usize> = path.iter().map(|(node, _)| *node).collect();
                    let from = nodes.iter().position(|node| *node == need).unwrap_or_default();
                    return Some(nodes[from..].to_vec());
                }
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::cycle;

    #[test]
    fn a_cycle_is_returned_in_its_order() {
        assert_eq!(cycle(&[vec![1], vec![2], vec![0]]), Some(vec![0, 1, 2]));
        assert_eq!(cycle(&[vec![0]]), Some(vec![0]));
        assert_eq!(cycle(&[vec![1], vec![2], vec![1]]), Some(vec![1, 2]));
        assert_eq!(cycle(&[vec![1, 2], vec![2], vec![], vec![9]]), None);
    }

    proptest! {
        #[test]
        fn needs_that_point_backwards_only_have_no_cycle_and_a_cycle_is_one(
            needs in prop::collection::vec(prop::collection::vec(0usize..12, 0..4), 0..12)
        ) {
            let backwards: Vec<Vec<usize>> =
                needs.iter().enumerate().map(|(at, needs)| needs.iter().copied().filter(|need| *need < at).collect()).collect();
            prop_assert_eq!(cycle(&backwards), None);
            if let Some(found) = cycle(&needs) {
                for (at, node) in found.iter().enumerate() {
                    prop_assert!(needs[*node].contains(&found[(at + 1) % found.len()]));
                }
            }
        }
    }
}
