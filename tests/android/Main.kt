// What the tests call: the example's classes on this machine, with the real delegate.

package com.example.onexn

import java.nio.ByteBuffer
import java.nio.ByteOrder

fun main(arguments: Array<String>) {
    val options = arguments.associate { it.substringBefore("=") to it.substringAfter("=") }
    OnexnDelegate(options).use { println("made ${it.nativeHandle != 0L}") }
    val model = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder())
    val found = compare(model, 1, 10)
    println("apart ${found.difference}, timed ${found.stock > 0 && found.delegated > 0}")
}
