package com.example.onexn

import android.app.Activity
import android.os.Bundle
import android.widget.TextView
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.concurrent.thread

/** Shows how much faster the delegate makes the model in the app's assets. */
class MainActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val text = TextView(this)
        text.text = "Running $MODEL …"
        setContentView(text)
        thread {
            val report = try { report() } catch (error: Exception) { error.toString() }
            runOnUiThread { text.text = report }
        }
    }

    private fun report(): String {
        val bytes = assets.open(MODEL).use { it.readBytes() }
        val model = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes)
        return (1..2).joinToString("\n\n") { threads ->
            val found = compare(model, threads, ROUNDS)
            "$threads threads: LiteRT %.2f ms, with the delegate %.2f ms (%.2f×); outputs differ by %.1e"
                .format(
                    found.stock, found.delegated, found.stock / found.delegated, found.difference
                )
        }
    }

    private companion object {
        const val MODEL = "m.tflite"
        const val ROUNDS = 50
    }
}
