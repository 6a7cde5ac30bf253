package textedit.core

/** Median, 10th and 90th percentile of repeated measurements, linearly interpolated between the ordered values. */
data class Spread(val median: Double, val p10: Double, val p90: Double) {
    companion object {
        /** @throws IllegalArgumentException there are no values. */
        fun of(values: List<Double>): Spread {
            require(values.isNotEmpty()) { "no values" }
            val sorted = values.sorted()
            return Spread(sorted.percentile(0.5), sorted.percentile(0.1), sorted.percentile(0.9))
        }

        private fun List<Double>.percentile(share: Double): Double {
            val position = share * (size - 1)
            val below = position.toInt()
            val above = minOf(below + 1, size - 1)
            return this[below] + (position - below) * (this[above] - this[below])
        }
    }
}
