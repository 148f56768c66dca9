//! The tree over the entries: RFC 6962 section 2.1 (the same in RFC 9162), with SHA-256.
//!
//! A root pins every leaf before it. With a root kept elsewhere, an inclusion proof shows that one entry was there, and a
//! consistency proof shows that a later tree has only grown. Appending needs the [`Frontier`] alone: at most 64 hashes.

use std::fmt;
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::database::{Column, Error, FromColumn, Param};

/// A hash of the tree: of a leaf, of a node, or its root.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash(pub [u8; HASH_BYTES]);

/// The tree at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many leaves it has.
    pub size: u64,
    /// Its root.
    pub root: TreeHash,
}

/// What appending needs to know: the roots of the complete subtrees, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<TreeHash>,
}

impl TreeHash {
    /// The hash of a leaf with this content.
    pub fn leaf(content: &[u8]) -> TreeHash {
        TreeHash(Sha256::new().chain_update([LEAF]).chain_update(content).finalize().into())
    }

    /// The hash of the node over two others.
    pub fn node(left: TreeHash, right: TreeHash) -> TreeHash {
        let hash = Sha256::new().chain_update([NODE]).chain_update(left.0).chain_update(right.0);
        TreeHash(hash.finalize().into())
    }
}

impl Frontier {
    /// A frontier as it was stored; `None` unless it has one root per bit of the size.
    pub fn decode(size: u64, bytes: &[u8]) -> Option<Frontier> {
        let (roots, rest) = bytes.as_chunks::<HASH_BYTES>();
        let whole = rest.is_empty() && roots.len() == size.count_ones() as usize;
        whole.then(|| Frontier { size, roots: roots.iter().copied().map(TreeHash).collect() })
    }

    /// As it is stored: the roots one after the other.
    pub fn encode(&self) -> Vec<u8> {
        self.roots.iter().flat_map(|root| root.0).collect()
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: each subtree it completes is folded into one root.
    pub fn push(&mut self, leaf: TreeHash) {
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                root = TreeHash::node(left, root);
            }
        }
        self.roots.push(root);
        self.size += 1;
    }

    /// The root of the tree so far; of an empty tree, the hash of nothing.
    pub fn root(&self) -> TreeHash {
        let mut roots = self.roots.iter().rev().copied();
        match roots.next() {
            None => TreeHash(Sha256::digest([]).into()),
            Some(smallest) => roots.fold(smallest, |right, left| TreeHash::node(left, right)),
        }
    }

    /// Size and root.
    pub fn head(&self) -> Head {
        Head { size: self.size, root: self.root() }
    }
}

/// The subtrees whose roots are the audit path of leaf `index` in a tree of `size`, in the order of the path (RFC 6962 2.1.1).
pub fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut tree = 0..size;
    while tree.contains(&index) && tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The subtrees whose roots prove that the tree of `new` leaves continues the one of `old` (RFC 6962 2.1.2).
pub fn consistency_ranges(old: u64, new: u64) -> Vec<Range<u64>> {
    if old == 0 || old >= new {
        return Vec::new();
    }
    let mut ranges = Vec::new();
    let (mut tree, mut is_old_root) = (0..new, true);
    while tree.end != old {
        let middle = tree.start + split(tree.end - tree.start);
        if old <= middle {
            ranges.push(middle..tree.end);
            tree.end = middle;
        } else {
            ranges.push(tree.start..middle);
            tree.start = middle;
            is_old_root = false;
        }
    }
    if !is_old_root {
        ranges.push(tree);
    }
    ranges.reverse();
    ranges
}

/// Whether the path leads from the leaf at `index` to the root of `head`.
pub fn includes(head: Head, index: u64, leaf: TreeHash, path: &[TreeHash]) -> bool {
    let ranges = inclusion_ranges(index, head.size);
    if index >= head.size || ranges.len() != path.len() {
        return false;
    }
    let root = ranges.iter().zip(path).fold(leaf, |hash, (range, other)| {
        if range.start > index {
            TreeHash::node(hash, *other)
        } else {
            TreeHash::node(*other, hash)
        }
    });
    root == head.root
}

/// Whether the proof shows that `new` continues `old`.
pub fn continues(old: Head, new: Head, proof: &[TreeHash]) -> bool {
    if old.size == 0 || old.size >= new.size {
        let is_trivial = old.size == 0 || old == new;
        return is_trivial && proof.is_empty() && old.size <= new.size;
    }
    let ranges = consistency_ranges(old.size, new.size);
    if ranges.len() != proof.len() {
        return false;
    }
    let mut parts = ranges.iter().zip(proof.iter().copied());
    // A complete subtree that is the whole old tree is not in the proof: its root is known.
    let first = if ranges.first().is_some_and(|range| range.start >= old.size) {
        Some(old.root)
    } else {
        parts.next().map(|(_, hash)| hash)
    };
    let Some(first) = first else { return false };
    let (mut old_root, mut new_root) = (first, first);
    for (range, hash) in parts {
        if range.start >= old.size {
            new_root = TreeHash::node(new_root, hash);
        } else {
            old_root = TreeHash::node(hash, old_root);
            new_root = TreeHash::node(hash, new_root);
        }
    }
    old_root == old.root && new_root == new.root
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::database::hex(&self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeHash({self})")
    }
}

impl From<TreeHash> for Param<'_> {
    fn from(hash: TreeHash) -> Self {
        Param::from(hash.0)
    }
}

impl FromColumn for TreeHash {
    fn from_column(column: Column<'_>) -> Option<Self> {
        <[u8; HASH_BYTES]>::from_column(column).map(TreeHash)
    }
}

/// The roots of the given subtrees, from leaves that `leaves` reads.
pub(super) fn roots(
    ranges: &[Range<u64>],
    mut leaves: impl FnMut(Range<u64>, &mut Frontier) -> Result<(), Error>,
) -> Result<Vec<TreeHash>, Error> {
    let root = |range: &Range<u64>| {
        let mut subtree = Frontier::default();
        leaves(range.clone(), &mut subtree)?;
        Ok(subtree.root())
    };
    ranges.iter().map(root).collect()
}

const HASH_BYTES: usize = 32;
const LEAF: u8 = 0;
const NODE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves of the test tree of the Certificate Transparency project, and its roots from size 1 to 8.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn leaf(index: u64) -> TreeHash {
        match LEAVES.get(usize::try_from(index).unwrap()) {
            Some(content) => TreeHash::leaf(content),
            None => TreeHash::leaf(&index.to_be_bytes()),
        }
    }

    fn tree(range: Range<u64>) -> Frontier {
        let mut tree = Frontier::default();
        range.for_each(|index| tree.push(leaf(index)));
        tree
    }

    fn proof(ranges: &[Range<u64>]) -> Vec<TreeHash> {
        ranges.iter().map(|range| tree(range.clone()).root()).collect()
    }

    #[test]
    fn roots_are_the_known_ones() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(tree(0..0).root().to_string(), empty);
        for (size, root) in (1..).zip(ROOTS) {
            assert_eq!(tree(0..size).root().to_string(), root, "size {size}");
        }
    }

    #[test]
    fn the_known_audit_path_of_the_sixth_leaf() {
        let path = proof(&inclusion_ranges(5, 8));
        let words: Vec<String> = path.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_leaf_has_a_path_and_no_other_leaf_fits_it() {
        for size in 1..=33 {
            let head = tree(0..size).head();
            for index in 0..size {
                let path = proof(&inclusion_ranges(index, size));
                assert!(includes(head, index, leaf(index), &path), "{index} of {size}");
                assert!(!includes(head, index, leaf(index + 1), &path));
                assert!(!includes(head, index + 1, leaf(index), &path) || size == 1);
            }
        }
    }

    #[test]
    fn every_tree_continues_every_earlier_one() {
        for new in 0..=33 {
            for old in 0..=new {
                let (before, after) = (tree(0..old).head(), tree(0..new).head());
                let proof = proof(&consistency_ranges(old, new));
                assert!(continues(before, after, &proof), "{old} to {new}");
                let other = Head { root: leaf(99), ..before };
                assert!(old == 0 || !continues(other, after, &proof), "{old} to {new}");
            }
        }
    }

    #[test]
    fn a_frontier_is_stored_and_comes_back() {
        let frontier = tree(0..11);
        let bytes = frontier.encode();
        assert_eq!(bytes.len(), 3 * HASH_BYTES);
        assert_eq!(Frontier::decode(11, &bytes), Some(frontier));
        assert_eq!(Frontier::decode(12, &bytes), None);
        assert_eq!(Frontier::decode(11, &bytes[1..]), None);
    }
}
