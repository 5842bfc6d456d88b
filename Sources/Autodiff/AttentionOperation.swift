// Attention over many heads.

import Tensors

/// Scaled dot-product attention.
///
/// - Parameters:
///   - queries: `[batch, queries, heads * width]`.
///   - keys: `[batch, keys, heads * width]`.
///   - values: the shape of `keys`.
///   - causal: whether a query sees only the keys up to its own place.
/// - Returns: the shape of `queries`.
public func attend(
  queries: Variable, keys: Variable, values: Variable, heads: Int, causal: Bool = false
) -> Variable {
  let (value, logSums) = attention(
    queries: queries.value, keys: keys.value, values: values.value, heads: heads, causal: causal)
  return Variable(value, from: queries, keys, values) {
    [
      q = queries.value, k = keys.value, v = values.value, queries = queries.slot, keys = keys.slot,
      values = values.slot
    ] gradient in
    let gradients = attentionGradient(
      gradient, queries: q, keys: k, values: v, result: value, logSums: logSums, heads: heads,
      causal: causal)
    queries?.receive(gradients.queries)
    keys?.receive(gradients.keys)
    values?.receive(gradients.values)
  }
}
