package textedit.core

import java.io.File
import kotlin.math.log10
import kotlin.math.min
import kotlin.math.sqrt

/** How close one part came to its golden answer: PSNR in dB and the floor that it must reach. */
data class SelfTestResult(val part: String, val psnrDb: Double, val floorDb: Double) {
    /** False also where the answer was not finite. */
    val passed: Boolean get() = psnrDb >= floorDb
}

/**
 * Runs every network of a bundle on its golden input and compares with the stored answer. To be run once after installation and after an
 * update of the system.
 *
 * @param readPng decodes a PNG file of the bundle.
 */
class SelfTest(private val bundle: Bundle, private val readPng: (File) -> PixelImage) {
    /** The results in the manifest's order. @throws BundleException a golden file does not have the size of its shape. */
    fun run(runner: NetworkRunner): List<SelfTestResult> = bundle.manifest.golden.map { run(it, runner) }

    private fun run(case: GoldenCase, runner: NetworkRunner): SelfTestResult {
        val part = bundle.manifest.part(case.part)
        val expected = bundle.tensor(case.output, TensorSpec(part.output.name, case.shape).count)
        return SelfTestResult(case.part, psnrDb(expected, runner.run(part, input(case, part))), case.psnrFloorDb)
    }

    private fun input(case: GoldenCase, part: Part): FloatArray {
        if (!case.input.endsWith(".png")) return bundle.tensor(case.input, part.input.count)
        return bundle.manifest.pixels.toTensor(readPng(bundle.file(case.input)))
    }
}

/** What stands for equal numbers, whose decibels have no bound; negative where a constant is missed. */
const val IDENTICAL_DB = 200.0

/**
 * `20 log10(range / rmse)` in dB, range being the largest minus the smallest expected value, within -200 to 200; NaN where the sizes
 * differ or a value is not finite.
 */
fun psnrDb(expected: FloatArray, actual: FloatArray): Double {
    if (actual.size != expected.size || !(expected + actual).all(Float::isFinite)) return Double.NaN
    val range = expected.max().toDouble() - expected.min()
    val squares = expected.indices.sumOf { (expected[it].toDouble() - actual[it]).let { error -> error * error } }
    val rmse = sqrt(squares / expected.size)
    return when {
        rmse == 0.0 -> IDENTICAL_DB
        range > 0 -> min(20 * log10(range / rmse), IDENTICAL_DB)
        else -> -IDENTICAL_DB
    }
}
