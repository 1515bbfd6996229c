package com.example.onexn

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Random
import kotlin.math.abs
import kotlin.math.max
import org.tensorflow.lite.Interpreter

/** Median times of one inference in milliseconds, and how far the outputs are apart. */
data class Comparison(val stock: Double, val delegated: Double, val difference: Float)

/** Runs a model without and with the delegate, in turns, on the same random input. */
fun compare(model: ByteBuffer, threads: Int, rounds: Int): Comparison =
    OnexnDelegate().use { delegate ->
        Interpreter(model, Interpreter.Options().setNumThreads(threads)).use { stock ->
            val options = Interpreter.Options().setNumThreads(threads)
            Interpreter(model, options.addDelegate(delegate)).use { delegated ->
                compare(stock, delegated, rounds)
            }
        }
    }

private fun compare(stock: Interpreter, delegated: Interpreter, rounds: Int): Comparison {
    val input = floats(stock.getInputTensor(0).numBytes())
    val random = Random(0)
    while (input.hasRemaining()) input.putFloat(random.nextFloat() * 2 - 1)
    val outputs = List(2) { floats(stock.getOutputTensor(0).numBytes()) }
    val times = List(2) { mutableListOf<Double>() }
    repeat(WARM_UP + rounds) { round ->
        for ((which, interpreter) in listOf(stock, delegated).withIndex()) {
            input.rewind()
            outputs[which].rewind()
            val start = System.nanoTime()
            interpreter.run(input, outputs[which])
            if (round >= WARM_UP) times[which] += (System.nanoTime() - start) / 1e6
        }
    }
    var difference = 0f
    for (at in 0 until outputs[0].capacity() step BYTES) {
        difference = max(difference, abs(outputs[0].getFloat(at) - outputs[1].getFloat(at)))
    }
    return Comparison(median(times[0]), median(times[1]), difference)
}

private const val WARM_UP = 5
private const val BYTES = 4 // of a float

private fun floats(bytes: Int): ByteBuffer =
    ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

private fun median(times: List<Double>): Double {
    val sorted = times.sorted()
    return (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2
}
