//! Sums of random Fourier features of an embedding, and of their products: enough for a test of two means (MMD).
//!
//! Features are whole numbers in units of 2^-14 and are added as 64-bit integers, so that the order of events does not
//! matter. A feature is at most 1 and a product at most 2^28 units: sums hold 3 * 10^10 events without overflow.

use super::coding::{CountsError, Reader, Writer};

/// Units of a feature: a thousandth of the noise of its mean over a million events.
pub(crate) const UNIT: f64 = (1 << 14) as f64;

/// The features of one embedding and which projection made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Features {
    /// Names the projection (seed, bandwidth, sizes): sums of different ones cannot be added.
    pub(crate) projection: u64,
    pub(crate) values: Box<[i16]>,
}

/// Sums over the events that carry an embedding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    projection: u64,
    events: u64,
    sums: Vec<i64>,
    /// Upper triangle with the diagonal, row by row.
    products: Vec<i64>,
    /// Events whose features came from another projection: the least name stays, in whatever order they come.
    others: u64,
}

impl Embedding {
    pub(super) fn of(features: &Features) -> Self {
        let size = features.values.len();
        let (sums, products) = (vec![0; size], vec![0; triangle(size)]);
        let mut embedding = Self { projection: features.projection, events: 0, sums, products, others: 0 };
        embedding.add(features);
        embedding
    }

    pub(super) fn add(&mut self, features: &Features) {
        if features.projection != self.projection || features.values.len() != self.sums.len() {
            self.merge(&Self::of(features));
            return;
        }
        self.events = self.events.saturating_add(1);
        let mut left = self.products.as_mut_slice();
        for (place, value) in features.values.iter().enumerate() {
            self.sums[place] = self.sums[place].saturating_add(i64::from(*value));
            let (row, rest) = left.split_at_mut(features.values.len() - place);
            for (sum, other) in row.iter_mut().zip(&features.values[place..]) {
                *sum = sum.saturating_add(i64::from(i32::from(*value) * i32::from(*other)));
            }
            left = rest;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let others = self.others.saturating_add(other.others);
        if other.projection == self.projection {
            self.events = self.events.saturating_add(other.events);
            add_all(&mut self.sums, &other.sums);
            add_all(&mut self.products, &other.products);
            self.others = others;
        } else if self.projection < other.projection {
            self.others = others.saturating_add(other.events);
        } else {
            let others = others.saturating_add(self.events);
            *self = Self { others, ..other.clone() };
        }
    }

    /// Names the projection: only embeddings of one projection can be compared.
    pub fn projection(&self) -> u64 {
        self.projection
    }

    /// Events summed.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Sums of the features, in their own unit: cosines, then sines.
    pub fn sums(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| *sum as f64 / UNIT).collect()
    }

    /// Sums of the products of each two features: the upper triangle with the diagonal, row by row.
    pub fn products(&self) -> Vec<f64> {
        self.products.iter().map(|sum| *sum as f64 / (UNIT * UNIT)).collect()
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.projection.to_le_bytes());
        writer.number(self.events);
        writer.number(self.others);
        writer.number(self.sums.len() as u64);
        self.sums.iter().chain(&self.products).for_each(|sum| writer.signed(*sum));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CountsError> {
        let name = reader.raw(8)?.first_chunk().copied().ok_or(CountsError::Corrupt("they end too early"))?;
        let (projection, events, others) = (u64::from_le_bytes(name), reader.number()?, reader.number()?);
        let size = reader.length()?;
        let sums = (0..size).map(|_| reader.signed()).collect::<Result<_, _>>()?;
        let products = (0..triangle(size)).map(|_| reader.signed()).collect::<Result<_, _>>()?;
        Ok(Self { projection, events, sums, products, others })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.sums.capacity() + self.products.capacity()) * size_of::<i64>()
    }
}

fn triangle(size: usize) -> usize {
    size * (size + 1) / 2
}

fn add_all(sums: &mut [i64], others: &[i64]) {
    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum = sum.saturating_add(*other));
}
