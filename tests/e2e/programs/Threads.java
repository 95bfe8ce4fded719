import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.*;

/** Many threads that allocate, a child process, a collection: what every collector has to get through. */
public class Threads {
  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(50);
    List<Future<Long>> parts = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      final int k = i;
      parts.add(pool.submit(() -> {
        byte[][] garbage = new byte[50][];
        long sum = 0;
        for (int j = 0; j < 50; j++) {
          garbage[j] = new byte[10000];
          sum += garbage[j].length + k;
        }
        return sum;
      }));
    }
    long total = 0;
    for (Future<Long> p : parts) total += p.get();
    pool.shutdown();
    System.out.println(total);
    Process child = new ProcessBuilder("sh", "-c", "echo from sh").inheritIO().start();
    System.out.println(child.waitFor());
    System.gc();
    Thread.sleep(10);
  }
}
