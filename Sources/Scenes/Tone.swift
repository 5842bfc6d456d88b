// Small arithmetic on colours and numbers, by the four basic operations alone.

/// The luma of a colour (ITU-R BT.709), of values in sRGB's curve.
func luma(_ colour: SIMD3<Float>) -> Float {
  0.2126 * colour.x + 0.7152 * colour.y + 0.0722 * colour.z
}

func mix<Value: SIMD<Float>>(_ from: Value, _ to: Value, _ share: Float) -> Value {
  from + (to - from) * share
}

func mix(_ from: Float, _ to: Float, _ share: Float) -> Float { from + (to - from) * share }

/// 0 below `low`, 1 above `high`, and smoothly from one to the other between.
func smoothstep(_ low: Float, _ high: Float, _ value: Float) -> Float {
  let part = min(max((value - low) / (high - low), 0), 1)
  return part * part * (3 - 2 * part)
}

extension SIMD4<Float> {
  var rgb: SIMD3<Float> { SIMD3(x, y, z) }
}
