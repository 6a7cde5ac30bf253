package textedit.demo

import android.app.Application
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.Button
import androidx.compose.material3.ExperimentalMaterial3Api
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
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import androidx.lifecycle.viewModelScope
import androidx.lifecycle.viewmodel.compose.viewModel
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import textedit.core.SelfTestResult

/** What the self-test screen shows; [results] is null before the first run. */
data class SelfTestState(val running: Boolean = false, val results: List<SelfTestResult>? = null, val message: Message? = null)

class SelfTestViewModel(application: Application) : AndroidViewModel(application) {
    private val editor = (application as DemoApplication).editor
    private val mutableState = MutableStateFlow(SelfTestState())

    val state: StateFlow<SelfTestState> = mutableState.asStateFlow()

    fun run() {
        if (state.value.running) return
        mutableState.value = SelfTestState(running = true)
        viewModelScope.launch {
            mutableState.value = try {
                SelfTestState(results = editor.selfTest())
            } catch (error: CancellationException) {
                throw error
            } catch (error: Exception) {
                SelfTestState(message = error.toMessage())
            }
        }
    }
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun SelfTestScreen(onBack: () -> Unit, model: SelfTestViewModel = viewModel()) {
    val state by model.state.collectAsStateWithLifecycle()
    Scaffold(
        topBar = {
            TopAppBar(
                title = { Text(stringResource(R.string.self_test)) },
                navigationIcon = { TextButton(onClick = onBack) { Text(stringResource(R.string.back)) } },
            )
        },
    ) { padding ->
        Column(Modifier.padding(padding).padding(horizontal = 16.dp), verticalArrangement = Arrangement.spacedBy(8.dp)) {
            Text(stringResource(R.string.self_test_about))
            Button(onClick = model::run, enabled = !state.running) { Text(stringResource(R.string.run)) }
            if (state.running) Text(stringResource(R.string.running))
            state.message?.let { Text(stringResource(it.text, it.detail), color = MaterialTheme.colorScheme.error) }
            state.results?.let { Results(it) }
        }
    }
}

@Composable
private fun Results(results: List<SelfTestResult>) {
    LazyColumn(contentPadding = PaddingValues(bottom = 16.dp)) {
        items(results, key = { it.part }) { result ->
            ListItem(
                headlineContent = { Text(result.part) },
                supportingContent = { Text(stringResource(R.string.decibels_of_floor, result.psnrDb, result.floorDb)) },
                trailingContent = { Verdict(result.passed) },
            )
        }
    }
}

@Composable
private fun Verdict(passed: Boolean) {
    val colors = MaterialTheme.colorScheme
    Text(stringResource(if (passed) R.string.passed else R.string.failed), color = if (passed) colors.primary else colors.error)
}
