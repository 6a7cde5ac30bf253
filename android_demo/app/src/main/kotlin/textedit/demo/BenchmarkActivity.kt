package textedit.demo

import android.os.Bundle
import android.view.WindowManager
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.ListItem
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import androidx.lifecycle.viewmodel.compose.viewModel
import textedit.core.Spread

/**
 * Measures this device. Started from the editor, it waits for a tap; started by `python -m benchmarks device --android` it runs at once, as
 * the extra of [BenchmarkViewModel] says, and leaves the result for adb to fetch.
 */
class BenchmarkActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        // A screen that goes dark slows the processor down.
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        setContent { DemoTheme { BenchmarkScreen(onBack = ::finish) } }
    }
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
private fun BenchmarkScreen(onBack: () -> Unit, model: BenchmarkViewModel = viewModel()) {
    val state by model.state.collectAsStateWithLifecycle()
    Scaffold(
        topBar = {
            TopAppBar(
                title = { Text(stringResource(R.string.benchmark)) },
                navigationIcon = { TextButton(onClick = onBack) { Text(stringResource(R.string.back)) } },
            )
        },
    ) { padding ->
        Column(
            Modifier.padding(padding).padding(horizontal = 16.dp).verticalScroll(rememberScrollState()),
            verticalArrangement = Arrangement.spacedBy(8.dp),
        ) {
            Text(stringResource(R.string.benchmark_about))
            Button(onClick = model::run, enabled = state.progress == null) { Text(stringResource(R.string.run)) }
            state.progress?.let { share -> LinearProgressIndicator({ share.toFloat() }, Modifier.fillMaxWidth()) }
            state.message?.let { Text(stringResource(it.text, it.detail), color = MaterialTheme.colorScheme.error) }
            state.spreads.forEach { (id, spread) -> Measurement(id, spread) }
            state.savedAt?.let { Text(stringResource(R.string.benchmark_saved, it), style = MaterialTheme.typography.bodySmall) }
        }
    }
}

@Composable
private fun Measurement(id: String, spread: Spread) {
    val text = when (id) {
        "memory" -> stringResource(R.string.megabytes, spread.median / 1e6)
        else -> stringResource(R.string.milliseconds, spread.median, spread.p10, spread.p90)
    }
    ListItem(headlineContent = { Text(id) }, supportingContent = { Text(text) })
}
