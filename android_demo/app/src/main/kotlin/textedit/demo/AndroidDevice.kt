package textedit.demo

import android.app.ActivityManager
import android.content.Context
import android.os.Build
import android.os.PowerManager
import java.io.File
import textedit.core.DeviceMeters
import textedit.core.Machine
import textedit.core.MemoryUse

/** The device as a benchmark describes and reads it. */
class AndroidDevice(private val context: Context) : DeviceMeters {
    override val memoryCounter = "VmHWM"

    override fun nanoseconds(): Long = System.nanoTime()

    override fun memory(): MemoryUse {
        val lines = File("/proc/self/status").readLines()
        val kilobytes = lines.associate { it.substringBefore(':') to it.filter(Char::isDigit).toLongOrNull() }
        return MemoryUse(1024 * checkNotNull(kilobytes["VmRSS"]), 1024 * checkNotNull(kilobytes[memoryCounter]))
    }

    override fun thermalState(): String? {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) return null
        return when (val status = context.getSystemService(PowerManager::class.java).currentThermalStatus) {
            PowerManager.THERMAL_STATUS_NONE -> "none"
            PowerManager.THERMAL_STATUS_LIGHT -> "light"
            PowerManager.THERMAL_STATUS_MODERATE -> "moderate"
            PowerManager.THERMAL_STATUS_SEVERE -> "severe"
            PowerManager.THERMAL_STATUS_CRITICAL -> "critical"
            PowerManager.THERMAL_STATUS_EMERGENCY -> "emergency"
            PowerManager.THERMAL_STATUS_SHUTDOWN -> "shutdown"
            else -> status.toString()
        }
    }

    fun machine(): Machine {
        val memory = ActivityManager.MemoryInfo().also { context.getSystemService(ActivityManager::class.java).getMemoryInfo(it) }
        return Machine(
            kind = "android",
            emulated = isEmulated(),
            model = "${Build.MANUFACTURER} ${Build.MODEL}",
            processor = processor(),
            cores = Runtime.getRuntime().availableProcessors(),
            system = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
            memoryBytes = memory.totalMem,
        )
    }

    private fun processor(): String =
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}" else Build.HARDWARE

    /** The virtual boards of Android's emulator, and what its images are called. */
    private fun isEmulated(): Boolean = Build.HARDWARE in setOf("goldfish", "ranchu") || Build.PRODUCT.startsWith("sdk_")
}
