//! The kernels: Montgomery multiplication, squaring, products and table look-up for eight numbers at once.
//!
//! Numbers are little-endian limbs of 52 bits; a [`Limb`] holds the limb of one place of all eight numbers. Each lane
//! has its own modulus. The multiplication is almost-Montgomery (Gueron, "Efficient software implementations of modular
//! exponentiation", 2012): with R = 2^(52 * limbs) it gives a number that is congruent to x * y / R and less than
//! twice the modulus, without a final subtraction. [`HEADROOM_BITS`] says when this is right.
//!
//! A number is one or more *blocks* of `W` limbs. The column sums of a block stay in registers while its rows are
//! added, so `W` is at most 20 of the 32 registers. The compiler unrolls the loops over a block.
//!
//! No branch and no address depends on a number, only on its length.

use std::hint::black_box;

use crate::vector::{LIMB_MAX, Limb, Portable, Vector};

/// R has at least this many bits more than the modulus m. With R >= 2^8 * m, and factors below 8 * m, the product is
/// less than (8 * m)^2 / R + m <= m / 4 + m, so below 2 * m.
pub(crate) const HEADROOM_BITS: usize = 8;

/// The most limbs of a number. A column sums at most 4 * 80 products of 52 bits, and carries, which is less than 2^61.
pub(crate) const LIMBS_MAX: usize = 80;

/// Room for a double product and the quotients of one block.
pub(crate) const SCRATCH_LIMBS: usize = 2 * LIMBS_MAX + 20;

/// The number of limbs of a block. Each value has its own code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Limbs14,
    Limbs15,
    Limbs20,
}

impl Block {
    pub(crate) fn limbs(self) -> usize {
        match self {
            Self::Limbs14 => 14,
            Self::Limbs15 => 15,
            Self::Limbs20 => 20,
        }
    }
}

/// The instructions that calculate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// Exists only if the CPU has the instructions, because only [`Instructions::detect`] makes it.
    #[cfg(target_arch = "x86_64")]
    Ifma,
    Portable,
}

impl Instructions {
    /// Plain Rust: the model that AVX-512 is tested against. Slower than AWS-LC with one number after the other.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// AVX-512 IFMA, if this CPU has it.
    #[must_use]
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma") {
            return Some(Self(Set::Ifma));
        }
        None
    }
}

/// A modulus as the kernels use it.
#[derive(Clone, Copy)]
pub(crate) struct KernelModulus<'a> {
    pub(crate) instructions: Instructions,
    pub(crate) block: Block,
    /// A whole number of blocks.
    pub(crate) limbs: &'a [Limb],
    /// -1 / m modulo 2^52.
    pub(crate) negative_inverse: &'a Limb,
}

/// Calls a kernel with the instructions and the block size that were chosen at run time.
macro_rules! call {
    ($kernel:ident, $instructions:expr, $block:expr, $($argument:expr),*) => {
        match ($instructions.0, $block) {
            // SAFETY: the value exists only if the CPU has the instructions.
            #[cfg(target_arch = "x86_64")]
            (Set::Ifma, Block::Limbs14) => unsafe { ifma::$kernel::<14>($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Set::Ifma, Block::Limbs15) => unsafe { ifma::$kernel::<15>($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Set::Ifma, Block::Limbs20) => unsafe { ifma::$kernel::<20>($($argument),*) },
            (Set::Portable, Block::Limbs14) => $kernel::<Portable, 14>($($argument),*),
            (Set::Portable, Block::Limbs15) => $kernel::<Portable, 15>($($argument),*),
            (Set::Portable, Block::Limbs20) => $kernel::<Portable, 20>($($argument),*),
        }
    };
}

impl KernelModulus<'_> {
    /// `x = x * y / R` modulo m, below 2 * m if both factors are below 8 * m.
    #[expect(unsafe_code, reason = "calls code for a CPU that was detected")]
    pub(crate) fn multiply(self, x: &mut [Limb], y: &[Limb], scratch: &mut [Limb; SCRATCH_LIMBS]) {
        call!(multiply, self.instructions, self.block, self, x, y, scratch);
    }

    /// `x = x * x / R` modulo m, below 2 * m if x is below 8 * m.
    #[expect(unsafe_code, reason = "calls code for a CPU that was detected")]
    pub(crate) fn square(self, x: &mut [Limb], scratch: &mut [Limb; SCRATCH_LIMBS]) {
        call!(square, self.instructions, self.block, self, x, scratch);
    }

    /// Adds `x * y` to `sum`, and leaves limbs of 52 bits. The factors have whole numbers of blocks, and `sum` is as
    /// long as both together.
    #[expect(unsafe_code, reason = "calls code for a CPU that was detected")]
    pub(crate) fn add_multiple(self, sum: &mut [Limb], x: &[Limb], y: &[Limb]) {
        call!(add_multiple, self.instructions, self.block, sum, x, y);
    }

    /// Copies a number out of a table of numbers, in each lane the one of that lane's index, and reads the whole table.
    #[expect(unsafe_code, reason = "calls code for a CPU that was detected")]
    pub(crate) fn look_up(self, number: &mut [Limb], table: &[Limb], indices: &Limb) {
        call!(look_up, self.instructions, self.block, number, table, indices);
    }
}

/// The kernels, compiled for AVX-512.
#[cfg(target_arch = "x86_64")]
mod ifma {
    use super::{KernelModulus, Limb, SCRATCH_LIMBS};
    use crate::vector::Ifma;

    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn multiply<const W: usize>(
        modulus: KernelModulus<'_>,
        x: &mut [Limb],
        y: &[Limb],
        scratch: &mut [Limb; SCRATCH_LIMBS],
    ) {
        super::multiply::<Ifma, W>(modulus, x, y, scratch);
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn square<const W: usize>(
        modulus: KernelModulus<'_>,
        x: &mut [Limb],
        scratch: &mut [Limb; SCRATCH_LIMBS],
    ) {
        super::square::<Ifma, W>(modulus, x, scratch);
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn add_multiple<const W: usize>(sum: &mut [Limb], x: &[Limb], y: &[Limb]) {
        super::add_multiple::<Ifma, W>(sum, x, y);
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn look_up<const W: usize>(number: &mut [Limb], table: &[Limb], indices: &Limb) {
        super::look_up::<Ifma, W>(number, table, indices);
    }
}

#[inline(always)]
fn multiply<V: Vector, const W: usize>(
    modulus: KernelModulus<'_>,
    x: &mut [Limb],
    y: &[Limb],
    scratch: &mut [Limb; SCRATCH_LIMBS],
) {
    let limbs = modulus.limbs.len();
    assert!(
        x.len() == limbs && y.len() == limbs,
        "factors are as long as the modulus"
    );
    let (product, quotients) = split_scratch::<W>(scratch, limbs);
    clear::<V>(product);
    let (x_blocks, _) = x.as_chunks::<W>();
    let (y_blocks, _) = y.as_chunks::<W>();
    for (i, x_block) in x_blocks.iter().enumerate() {
        for (j, y_block) in y_blocks.iter().enumerate() {
            add_product::<V, W>(&mut product[(i + j) * W..], x_block, y_block);
        }
    }
    reduce::<V, W>(modulus, x, product, quotients);
}

#[inline(always)]
fn square<V: Vector, const W: usize>(
    modulus: KernelModulus<'_>,
    x: &mut [Limb],
    scratch: &mut [Limb; SCRATCH_LIMBS],
) {
    let limbs = modulus.limbs.len();
    assert!(x.len() == limbs, "a number is as long as the modulus");
    let (product, quotients) = split_scratch::<W>(scratch, limbs);
    clear::<V>(product);
    let (blocks, _) = x.as_chunks::<W>();
    for (i, block) in blocks.iter().enumerate() {
        add_triangle::<V, W>(&mut product[2 * i * W..], block);
        for (j, other) in blocks.iter().enumerate().skip(i + 1) {
            add_product::<V, W>(&mut product[(i + j) * W..], block, other);
        }
    }
    // All products of different limbs count twice, and those of equal limbs once.
    let (pairs, _) = product.as_chunks_mut::<2>();
    for ([low, high], limb) in pairs.iter_mut().zip(&*x) {
        let limb = V::load(limb);
        let twice = |limb: &Limb| V::load(limb).plus(V::load(limb));
        twice(low).add_low(limb, limb).store(low);
        twice(high).add_high(limb, limb).store(high);
    }
    reduce::<V, W>(modulus, x, product, quotients);
}

#[inline(always)]
fn add_multiple<V: Vector, const W: usize>(sum: &mut [Limb], x: &[Limb], y: &[Limb]) {
    assert!(sum.len() == x.len() + y.len(), "the sum has room for the product");
    let (x_blocks, _) = x.as_chunks::<W>();
    let (y_blocks, _) = y.as_chunks::<W>();
    for (i, x_block) in x_blocks.iter().enumerate() {
        for (j, y_block) in y_blocks.iter().enumerate() {
            add_product::<V, W>(&mut sum[(i + j) * W..], x_block, y_block);
        }
    }
    let mut carry = V::zero();
    for limb in sum {
        carry = store_limb(limb, V::load(limb).plus(carry));
    }
}

#[inline(always)]
fn look_up<V: Vector, const W: usize>(number: &mut [Limb], table: &[Limb], indices: &Limb) {
    let limbs = number.len();
    let indices = V::load(indices);
    let (blocks, _) = number.as_chunks_mut::<W>();
    for (i, block) in blocks.iter_mut().enumerate() {
        let mut found = [V::zero(); W];
        for (place, entry) in table.chunks_exact(limbs).enumerate() {
            let place = V::splat(place as u64);
            for (found, limb) in found.iter_mut().zip(&entry[i * W..][..W]) {
                *found = found.replace_where_equal(place, indices, V::load(limb));
            }
        }
        for (limb, found) in block.iter_mut().zip(found) {
            found.store(limb);
        }
    }
}

fn split_scratch<const W: usize>(
    scratch: &mut [Limb; SCRATCH_LIMBS],
    limbs: usize,
) -> (&mut [Limb], &mut [Limb; W]) {
    let (product, rest) = scratch.split_at_mut(2 * limbs);
    (
        product,
        rest.first_chunk_mut().expect("SCRATCH_LIMBS leaves a block"),
    )
}

/// Writes zeros. The black box keeps the compiler from calling `memset`, which takes a tenth of a multiplication.
#[inline(always)]
fn clear<V: Vector>(limbs: &mut [Limb]) {
    let zero = V::splat(black_box(0));
    for limb in limbs {
        zero.store(limb);
    }
}

/// Splits the first `2 * W` limbs off, in halves.
#[inline(always)]
fn halves<const W: usize>(sum: &mut [Limb]) -> (&mut [Limb; W], &mut [Limb; W]) {
    let (low, rest) = sum.split_first_chunk_mut().expect("the sum has two blocks");
    (low, rest.first_chunk_mut().expect("the sum has two blocks"))
}

/// Adds `a * b` to the columns of `sum`, without carrying between them.
#[inline(always)]
fn add_product<V: Vector, const W: usize>(sum: &mut [Limb], a: &[Limb; W], b: &[Limb; W]) {
    let (low, high) = halves::<W>(sum);
    // The columns that the current row adds to, except for the highest.
    let mut columns: [V; W] = std::array::from_fn(|place| V::load(&low[place]));
    for row in 0..W {
        // Without the black box, the compiler loads all of `a` before the loop, for which there are not enough
        // registers, and stores it on the stack.
        let a = black_box(a);
        let b_limb = V::load(&b[row]);
        let mut a_limb = V::load(&a[0]);
        columns[0].add_low(a_limb, b_limb).store(&mut low[row]);
        for place in 1..W {
            let column = columns[place].add_high(a_limb, b_limb);
            a_limb = V::load(&a[place]);
            columns[place - 1] = column.add_low(a_limb, b_limb);
        }
        columns[W - 1] = V::load(&high[row]).add_high(a_limb, b_limb);
    }
    for (limb, column) in high.iter_mut().zip(columns) {
        column.store(limb);
    }
}

/// Adds to the columns of `sum` the products of all pairs of different limbs of `a`, each pair once.
#[inline(always)]
fn add_triangle<V: Vector, const W: usize>(sum: &mut [Limb], a: &[Limb; W]) {
    let columns = &mut sum[..2 * W];
    let mut from_below = V::zero();
    macro_rules! each_column {
        ($($column:literal)*) => {
            $(
                if $column < 2 * W {
                    from_below = add_column::<V, W, $column>(&mut columns[$column], a, from_below);
                }
            )*
        };
    }
    each_column!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
    each_column!(20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
    let _ = from_below;
}

/// Adds one column of the triangle, and returns the high halves, which belong to the next column. A function for each
/// column, so that the compiler unrolls it.
#[inline(always)]
fn add_column<V: Vector, const W: usize, const COLUMN: usize>(
    sum: &mut Limb,
    a: &[Limb; W],
    from_below: V,
) -> V {
    let (mut low, mut high) = (V::zero(), V::zero());
    let first = (COLUMN + 1).saturating_sub(W);
    for i in first..COLUMN.div_ceil(2) {
        let (x, y) = (V::load(&a[i]), V::load(&a[COLUMN - i]));
        low = low.add_low(x, y);
        high = high.add_high(x, y);
    }
    V::load(sum).plus(low).plus(from_below).store(sum);
    high
}

/// `result = product / R` modulo m (Montgomery reduction), with limbs of 52 bits. Uses up the product.
#[inline(always)]
fn reduce<V: Vector, const W: usize>(
    modulus: KernelModulus<'_>,
    result: &mut [Limb],
    product: &mut [Limb],
    quotients: &mut [Limb; W],
) {
    let (blocks, _) = modulus.limbs.as_chunks::<W>();
    for i in 0..blocks.len() {
        clear_block::<V, W>(
            &mut product[i * W..],
            &blocks[0],
            modulus.negative_inverse,
            quotients,
        );
        for (j, block) in blocks.iter().enumerate().skip(1) {
            add_product::<V, W>(&mut product[(i + j) * W..], block, quotients);
        }
    }
    let mut carry = V::zero();
    for (limb, column) in result.iter_mut().zip(&product[modulus.limbs.len()..]) {
        carry = store_limb(limb, V::load(column).plus(carry));
    }
}

/// Adds `quotients * m` of the lowest block of m, such that the lowest `W` columns become zero modulo 2^52, and
/// carries what they hold above into the next column.
#[inline(always)]
fn clear_block<V: Vector, const W: usize>(
    sum: &mut [Limb],
    modulus: &[Limb; W],
    negative_inverse: &Limb,
    quotients: &mut [Limb; W],
) {
    let (low, high) = halves::<W>(sum);
    let mut columns: [V; W] = std::array::from_fn(|place| V::load(&low[place]));
    let negative_inverse = V::load(negative_inverse);
    for row in 0..W {
        let modulus = black_box(modulus);
        let quotient = V::zero().add_low(columns[0], negative_inverse);
        quotient.store(&mut quotients[row]);
        let mut limb = V::load(&modulus[0]);
        let carry = columns[0].add_low(quotient, limb).carry();
        for place in 1..W {
            let column = columns[place].add_high(quotient, limb);
            limb = V::load(&modulus[place]);
            columns[place - 1] = column.add_low(quotient, limb);
        }
        columns[W - 1] = V::load(&high[row]).add_high(quotient, limb);
        columns[0] = columns[0].plus(carry);
    }
    for (limb, column) in high.iter_mut().zip(columns) {
        column.store(limb);
    }
}

/// Stores the lowest 52 bits of a column, and returns the carry.
#[inline(always)]
fn store_limb<V: Vector>(limb: &mut Limb, column: V) -> V {
    column.and(V::splat(LIMB_MAX)).store(limb);
    column.carry()
}

#[cfg(test)]
mod tests;
