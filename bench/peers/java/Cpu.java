import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** CPU time. What the JDK tells of its process comes in hundredths of a second, the kernel's own figures in nanoseconds. */
final class Cpu {
    private Cpu() {}

    /** Nanoseconds that all threads there are have run. No thread may end between two readings that are compared. */
    static long nanoseconds() {
        long sum = 0;
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path thread : threads) sum += Long.parseLong(Files.readString(thread.resolve("schedstat")).split(" ")[0]);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return sum;
    }
}
